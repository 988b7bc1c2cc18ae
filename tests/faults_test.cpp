// Interrupted calls, short sends, calls that fail. Two signal storms interrupt real calls. Most
// other tests are scripted: the linker's --wrap=send and the like let net.cpp's calls arrive here
// first.
#include <netdb.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <future>
#include <thread>

#include "support.hpp"

namespace {

enum Call { ACCEPT, CLOSE, CONNECT, RESOLVE, NAME, OPTION, POLL, RECV, SEND, CALLS };

// What a scripted call does: it fails, or gives what its wrapper below describes.
struct Step {
  int error = 0, value = 0;
};
Step fails(int error) { return {error, 0}; }
Step gives(int value) { return {0, value}; }
const Step AS_USUAL{};

// What this thread's next calls do; later ones behave as usual.
thread_local std::deque<Step> script[CALLS];
// How often this thread has made each call, and with which arguments.
thread_local int calls[CALLS];
thread_local addrinfo last_hints;
// What the kernel really did, across all threads.
std::atomic<int> interrupted{0}, short_sends{0};

// Also sets errno, if the call is to fail.
Step next_step(Call call) {
  ++calls[call];
  if (script[call].empty()) return AS_USUAL;
  const Step step = script[call].front();
  script[call].pop_front();
  if (step.error) errno = step.error;
  return step;
}

template <typename Result>
Result counted(Result result) {
  if (result == -1 && errno == EINTR) ++interrupted;
  return result;
}

struct Scripted : testing::Test {
  Scripted() { clear(); }
  static void clear() {
    for (std::deque<Step>& steps : script) steps.clear();
    std::fill(calls, calls + CALLS, 0);
    interrupted = short_sends = 0;
  }
};

}  // namespace

extern "C" {

// The linker's names, which are not ours to choose.
int __real_accept(int, sockaddr*, socklen_t*);
int __real_close(int);
int __real_connect(int, const sockaddr*, socklen_t);
int __real_getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**);
int __real_gethostname(char*, size_t);
int __real_getsockopt(int, int, int, void*, socklen_t*);
int __real_poll(pollfd*, nfds_t, int);
ssize_t __real_recv(int, void*, size_t, int);
ssize_t __real_send(int, const void*, size_t, int);

int __wrap_accept(int fd, sockaddr* address, socklen_t* size) {
  return next_step(ACCEPT).error ? -1 : __real_accept(fd, address, size);
}

// If it is to fail, it closes first, as Linux does.
int __wrap_close(int fd) {
  const int result = __real_close(fd);
  return next_step(CLOSE).error ? -1 : result;
}

// If it is to fail, it connects first: an interrupted connect continues in the background.
int __wrap_connect(int fd, const sockaddr* address, socklen_t size) {
  const int result = counted(__real_connect(fd, address, size));
  return next_step(CONNECT).error ? -1 : result;
}

// It may give a list of two addresses.
int __wrap_getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** list) {
  last_hints = *hints;
  const Step step = next_step(RESOLVE);
  if (step.error) return EAI_SYSTEM;
  if (step.value != 2) return __real_getaddrinfo(host, port, hints, list);
  const int error = __real_getaddrinfo("127.0.0.1", port, hints, list);
  return error ? error : __real_getaddrinfo("127.0.0.2", port, hints, &(*list)->ai_next);
}

// It may give that many x's.
int __wrap_gethostname(char* name, size_t size) {
  const Step step = next_step(NAME);
  if (step.value == 0) return step.error ? -1 : __real_gethostname(name, size);
  std::memset(name, 'x', std::min(size, static_cast<size_t>(step.value)));
  return 0;
}

// It may report a scripted value of the option.
int __wrap_getsockopt(int fd, int level, int name, void* value, socklen_t* size) {
  const Step step = next_step(OPTION);
  if (step.error) return -1;
  if (step.value == 0) return __real_getsockopt(fd, level, name, value, size);
  std::memcpy(value, &step.value, sizeof step.value);
  return 0;
}
// The name of getsockopt on a 32-bit system with 64-bit time.
int __wrap___getsockopt64(int fd, int level, int name, void* value, socklen_t* size) {
  return __wrap_getsockopt(fd, level, name, value, size);
}

int __wrap_poll(pollfd* fds, nfds_t count, int timeout) {
  EXPECT_EQ(timeout, -1) << "connect waits for as long as the system does";
  return next_step(POLL).error ? -1 : counted(__real_poll(fds, count, timeout));
}

ssize_t __wrap_recv(int fd, void* bytes, size_t size, int flags) {
  return next_step(RECV).error ? -1 : __real_recv(fd, bytes, size, flags);
}

// It may limit how many bytes reach the system.
ssize_t __wrap_send(int fd, const void* bytes, size_t size, int flags) {
  const Step step = next_step(SEND);
  if (step.error) return -1;
  if (step.value > 0) size = std::min(size, static_cast<size_t>(step.value));
  const ssize_t result = counted(__real_send(fd, bytes, size, flags));
  if (result >= 0 && static_cast<size_t>(result) < size) ++short_sends;
  return result;
}
}

namespace {

// `count` letters in which each differs from its neighbours.
std::string pattern(std::size_t count) {
  std::string all(count, '\0');
  for (std::size_t i = 0; i < count; ++i) all[i] = static_cast<char>('a' + (i * 31 + i / 251) % 26);
  return all;
}

// Starts the peer of a test in a thread that the storm spares; get() waits for it and rethrows its
// exception.
std::future<void> peer_thread(const std::function<void()>& work) {
  return std::async(std::launch::async, [work] {
    sigset_t alarm;
    ::sigemptyset(&alarm);
    ::sigaddset(&alarm, SIGALRM);
    ::pthread_sigmask(SIG_BLOCK, &alarm, nullptr);
    work();
  });
}

// Waits until this counter has reached that value, or patience() is at its end.
void wait_for(const std::atomic<int>& counter, int value) {
  const auto deadline = std::chrono::steady_clock::now() + patience();
  while (counter < value && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
}

using Storm = Scripted;

// Whichever side stops early closes its socket, which ends the other.
TEST_F(Storm, SendallDeliversEveryByteInOrderToASlowReader) {
  const std::string bytes = pattern(16 << 20);
  std::string received;
  auto [sender, receiver] = connection();
  const SignalStorm storm;
  std::future<void> reader = peer_thread([&, &receiver = receiver] {
    net::Socket s(std::move(receiver));
    wait_for(interrupted, 3);
    for (std::string piece; !(piece = s.recv(1 << 18)).empty();
         wait_for(SignalStorm::ticks, SignalStorm::ticks + 1))
      received += piece;
  });
  net::Socket(std::move(sender)).sendall(bytes);
  reader.get();
  EXPECT_TRUE(same(received, bytes));
  EXPECT_GE(interrupted, 3);
  EXPECT_GE(short_sends, 1);
}

// The queue has one place, which is taken, so the second connect waits. After a second the kernel
// sends its SYN again.
TEST_F(Storm, ConnectWaitsForItsPlaceAndIsNotCalledAgain) {
  net::Socket listening = listening_socket(0), first = tcp_socket(), second = tcp_socket();
  first.connect(listening.getsockname());
  EXPECT_EQ(calls[POLL], 0) << "there was nothing to wait for";
  std::future<void> server = peer_thread([&] {
    wait_for(interrupted, 3);
    listening.accept();
  });
  const SignalStorm storm;
  second.connect(listening.getsockname());
  EXPECT_EQ(calls[CONNECT], 2) << "once for each";
  EXPECT_GE(interrupted, 3);
  server.get();
  listening.accept().first.sendall("welcome");
  EXPECT_EQ(second.recv(1024), "welcome");
}

using Sending = Scripted;

std::string recv_all(net::Socket& s) {
  std::string all;
  for (std::string piece; !(piece = s.recv(1024)).empty();) all += piece;
  return all;
}

TEST_F(Sending, ContinuesWhereAShortOrInterruptedSendStopped) {
  const std::string bytes = pattern(100);
  const std::pair<std::deque<Step>, int> cases[] = {
      {{AS_USUAL}, 1},
      {{gives(1), gives(2), gives(3), gives(4)}, 5},
      {{fails(EINTR), fails(EINTR), gives(50), fails(EINTR), gives(49), gives(1)}, 6},
      {std::deque<Step>(100, gives(1)), 100}};
  expect_to_end([&] {
    for (const auto& [steps, expected_calls] : cases) {
      auto [sender, receiver] = connection();
      clear();
      script[SEND] = steps;
      sender.sendall(bytes);
      EXPECT_TRUE(calls[SEND] == expected_calls)
          << "calls of send: seen " << calls[SEND] << ", expected " << expected_calls;
      sender.close();
      EXPECT_TRUE(same(recv_all(receiver), bytes));
    }
  });
}

using Interrupted = Scripted;

TEST_F(Interrupted, CallsAreRepeatedButNeverConnect) {
  net::Socket listening = listening_socket(), client = tcp_socket();
  clear();
  script[CONNECT] = {fails(EINTR)};
  script[POLL] = script[ACCEPT] = script[SEND] = script[RECV] = {fails(EINTR), fails(EINTR)};
  client.connect(listening.getsockname());
  EXPECT_EQ(calls[CONNECT], 1);
  EXPECT_EQ(calls[POLL], 3);
  EXPECT_EQ(calls[OPTION], 1);
  net::Socket server = listening.accept().first;
  EXPECT_EQ(calls[ACCEPT], 3);
  EXPECT_EQ(client.send("hello"), 5u);
  EXPECT_EQ(calls[SEND], 3);
  EXPECT_EQ(server.recv(1024), "hello");
  EXPECT_EQ(calls[RECV], 3);
  server.sendall("welcome");
  EXPECT_EQ(client.recv(1024), "welcome");
}

TEST_F(Interrupted, ConnectReportsHowItEndedAndWhatKeptItFromWaiting) {
  const net::Socket listening = listening_socket();
  const net::Address address = listening.getsockname();
  const std::tuple<Call, Step, int> cases[] = {{OPTION, gives(ECONNREFUSED), ECONNREFUSED},
                                               {OPTION, fails(ENOBUFS), ENOBUFS},
                                               {POLL, fails(ENOMEM), ENOMEM}};
  for (const auto& [call, step, error] : cases) {
    clear();
    net::Socket s = tcp_socket();
    script[CONNECT] = {fails(EINTR)};
    script[call] = {step};
    expect_error([&] { s.connect(address); }, error, "connect " + net::to_string(address));
  }
}

TEST_F(Interrupted, CloseIsCalledOnceForEachDescriptor) {
  net::Socket s = tcp_socket();
  clear();
  script[CLOSE] = {fails(EINTR)};
  s.close();
  EXPECT_EQ(calls[CLOSE], 1);
  net::Socket next(AF_INET, SOCK_STREAM);  // gets the number just freed
  s.close();
  EXPECT_EQ(calls[CLOSE], 1);
  next.getsockname();
  net::Socket(std::move(next)).close();
  next.close();  // has nothing left to close
  EXPECT_EQ(calls[CLOSE], 2);
}

using Failing = Scripted;

// If ai_flags were set, names might not be looked up.
TEST_F(Failing, ResolverGetsAPlainQuestionEachTimeAndItsFirstAnswerIsTaken) {
  script[RESOLVE] = {gives(2), fails(EMFILE)};
  EXPECT_EQ(net::gethostbyname("two"), "127.0.0.1");
  EXPECT_EQ(last_hints.ai_family, AF_INET);
  EXPECT_EQ(last_hints.ai_socktype, SOCK_STREAM);
  EXPECT_EQ(last_hints.ai_flags, 0);
  expect_error([] { net::gethostbyname("two"); }, EMFILE, "getaddrinfo \"two\"");
}

// In POSIX, a name that is too long may come without a NUL.
TEST_F(Failing, GethostnameTakesAnyNameOf255BytesWhole) {
  script[NAME] = {fails(ENAMETOOLONG), gives(1000)};
  expect_error([] { net::gethostname(); }, ENAMETOOLONG, "gethostname");
  EXPECT_EQ(net::gethostname(), std::string(255, 'x'));
}

}  // namespace
