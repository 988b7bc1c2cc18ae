// Interrupted calls, short sends, peers that are gone, calls that fail.
// Two signal storms interrupt real calls. Most other tests are scripted: this binary is linked with
// --wrap=send and the like, so that net.cpp's calls arrive here first.
#include <gtest/gtest.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <future>
#include <thread>

#include "support.hpp"

namespace {

enum Call { ACCEPT, CLOSE, CONNECT, FREE, RESOLVE, NAME, OPTION, POLL, RECV, SEND, CALLS };

// What this thread's next calls do. 0, or an empty queue: the real call. -E: fail with errno E.
// n > 0: send takes at most n bytes, getaddrinfo finds two addresses, getsockopt gives the value n,
// gethostname fills its buffer.
thread_local std::deque<int> script[CALLS];
// How often this thread has made each call, and with which arguments.
thread_local int calls[CALLS];
thread_local addrinfo last_hints;
thread_local int last_timeout;
thread_local bool limited;  // recv, by the socket
// Over all threads: what the kernel really did.
std::atomic<int> interrupted{0}, short_sends{0};

int next_step(Call call) {
  const int error = errno;
  ++calls[call];
  int step = 0;
  if (!script[call].empty()) {
    step = script[call].front();
    script[call].pop_front();
  }
  errno = step < 0 ? -step : error;
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
    for (std::deque<int>& steps : script) steps.clear();
    std::fill(calls, calls + CALLS, 0);
    limited = false;
    interrupted = short_sends = 0;
  }
};

}  // namespace

extern "C" {

// The linker's names, which are not ours to choose.
int __real_accept(int, sockaddr*, socklen_t*);
int __real_close(int);
int __real_connect(int, const sockaddr*, socklen_t);
void __real_freeaddrinfo(addrinfo*);
int __real_getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**);
int __real_gethostname(char*, size_t);
int __real_getsockopt(int, int, int, void*, socklen_t*);
int __real_poll(pollfd*, nfds_t, int);
ssize_t __real_recv(int, void*, size_t, int);
ssize_t __real_send(int, const void*, size_t, int);

int __wrap_accept(int fd, sockaddr* address, socklen_t* size) {
  return next_step(ACCEPT) < 0 ? -1 : __real_accept(fd, address, size);
}

// If it is to fail, it closes first, as Linux does.
int __wrap_close(int fd) {
  const int result = __real_close(fd);
  return next_step(CLOSE) < 0 ? -1 : result;
}

// If it is to fail, it connects first: an interrupted connect continues in the background.
int __wrap_connect(int fd, const sockaddr* address, socklen_t size) {
  const int result = counted(__real_connect(fd, address, size));
  return next_step(CONNECT) < 0 ? -1 : result;
}

// Whoever reads an address after this finds 255.255.255.255.
void __wrap_freeaddrinfo(addrinfo* list) {
  next_step(FREE);
  for (addrinfo* one = list; one; one = one->ai_next)
    std::memset(one->ai_addr, 0xFF, one->ai_addrlen);
  __real_freeaddrinfo(list);
}

int __wrap_getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** list) {
  last_hints = *hints;
  const int step = next_step(RESOLVE);
  if (step < 0) return EAI_SYSTEM;
  if (step == 0) return __real_getaddrinfo(host, port, hints, list);
  const int error = __real_getaddrinfo("127.0.0.1", port, hints, list);
  return error ? error : __real_getaddrinfo("127.0.0.2", port, hints, &(*list)->ai_next);
}

// POSIX: a name that is too long may be truncated without a terminating NUL.
int __wrap_gethostname(char* name, size_t size) {
  const int step = next_step(NAME);
  if (step > 0) std::memset(name, 'x', size);
  return step < 0 ? -1 : step > 0 ? 0 : __real_gethostname(name, size);
}

int __wrap_getsockopt(int fd, int level, int name, void* value, socklen_t* size) {
  const int step = next_step(OPTION);
  if (step > 0) std::memcpy(value, &step, sizeof step);
  return step < 0 ? -1 : step > 0 ? 0 : __real_getsockopt(fd, level, name, value, size);
}

// What getsockopt is called on a 32-bit system with 64-bit time.
int __wrap___getsockopt64(int fd, int level, int name, void* value, socklen_t* size) {
  return __wrap_getsockopt(fd, level, name, value, size);
}
int __wrap_poll(pollfd* fds, nfds_t count, int timeout) {
  last_timeout = timeout;
  return next_step(POLL) < 0 ? -1 : counted(__real_poll(fds, count, timeout));
}
ssize_t __wrap_recv(int fd, void* bytes, size_t size, int flags) {
  timeval limit{};
  socklen_t length = sizeof limit;
  __real_getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &length);
  if (limit.tv_sec != 0 || limit.tv_usec != 0) limited = true;
  return next_step(RECV) < 0 ? -1 : __real_recv(fd, bytes, size, flags);
}
ssize_t __wrap_send(int fd, const void* bytes, size_t size, int flags) {
  const int step = next_step(SEND);
  if (step > 0) size = std::min(size, static_cast<size_t>(step));
  const ssize_t result = step < 0 ? -1 : counted(__real_send(fd, bytes, size, flags));
  if (result >= 0 && static_cast<size_t>(result) < size) ++short_sends;
  return result;
}
}

namespace {

std::atomic<int> ticks{0};

// While it lives, SIGALRM interrupts the thread that made it, a thousand times a second.
class SignalStorm {
 public:
  SignalStorm() {
    struct sigaction action = {};
    action.sa_handler = [](int) { ++ticks; };  // and no SA_RESTART
    ::sigaction(SIGALRM, &action, nullptr);
    set_timer(1000);
  }
  ~SignalStorm() { set_timer(0); }

 private:
  static void set_timer(suseconds_t microseconds) {
    const itimerval every{{0, microseconds}, {0, microseconds}};
    ::setitimer(ITIMER_REAL, &every, nullptr);
  }
};

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

// These two wait until the storm has done its work.
void wait_for_interruptions(int count) {
  const auto deadline = std::chrono::steady_clock::now() + PATIENCE;
  while (interrupted < count && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
}
void wait_for_a_tick() {
  for (const int seen = ticks; ticks == seen;) std::this_thread::yield();
}

using Storm = Scripted;

TEST_F(Storm, SendallDeliversEveryByteInOrderToASlowReader) {
  const std::string bytes = pattern(16 << 20);
  std::string received;
  auto [sender, receiver] = connection();
  const SignalStorm storm;
  std::future<void> reader = peer_thread([&, &s = receiver] {
    wait_for_interruptions(3);
    for (std::string piece; !(piece = s.recv(1 << 18)).empty(); wait_for_a_tick())
      received += piece;
  });
  net::Socket(std::move(sender)).sendall(bytes);  // and closes: this ends the loop
  reader.get();
  EXPECT_TRUE(received == bytes);
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
    wait_for_interruptions(3);
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
  const std::pair<std::deque<int>, int> cases[] = {{{}, 1},
                                                   {{1, 2, 3, 4}, 5},
                                                   {{-EINTR, -EINTR, 50, -EINTR, 49, 1}, 6},
                                                   {std::deque<int>(100, 1), 100}};
  for (const auto& [steps, expected_calls] : cases) {
    SCOPED_TRACE(testing::PrintToString(steps));
    clear();
    auto [sender, receiver] = connection();
    script[SEND] = steps;
    sender.sendall(bytes);
    EXPECT_EQ(calls[SEND], expected_calls);
    sender.close();
    EXPECT_EQ(recv_all(receiver), bytes);
  }
}

TEST_F(Sending, StopsAtAnErrorAfterWhatWasAcceptedBefore) {
  const std::string bytes = pattern(100);
  auto [sender, receiver] = connection();
  script[SEND] = {10, -EINTR, 20, -ECONNRESET};
  expect_error([&, &s = sender] { s.sendall(bytes); }, ECONNRESET, "send");
  EXPECT_EQ(calls[SEND], 4);
  sender.close();
  EXPECT_EQ(recv_all(receiver), bytes.substr(0, 30));
}

TEST_F(Sending, OnceReturnsHowManyBytesTheSystemAccepted) {
  auto [sender, receiver] = connection();
  script[SEND] = {3};
  EXPECT_EQ(sender.send("12345"), 3u);
  EXPECT_EQ(calls[SEND], 1);
  EXPECT_EQ(receiver.recv(1024), "123");
  EXPECT_EQ(sender.send(""), 0u);
}

TEST_F(Sending, ToAPeerThatHasGoneThrowsEpipeAndRaisesNoSignal) {
  void (*const handler)(int) = [](int) { ADD_FAILURE() << "a SIGPIPE"; };
  const auto before = ::signal(SIGPIPE, handler);
  auto [client, server] = connection();
  server.close();
  expect_error([&s = client] { s.sendall(pattern(4 << 20)); }, EPIPE, "send");
  EXPECT_EQ(::signal(SIGPIPE, before), handler) << "a library leaves the signals alone";
}

using Interrupted = Scripted;

TEST_F(Interrupted, CallsAreRepeatedButNeverConnect) {
  net::Socket listening = listening_socket(), client = tcp_socket();
  script[CONNECT] = {-EINTR};
  script[POLL] = script[ACCEPT] = script[SEND] = script[RECV] = {-EINTR, -EINTR};
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
  EXPECT_EQ(last_timeout, -1) << "poll has a time limit";
  EXPECT_FALSE(limited) << "recv has a time limit";
}

TEST_F(Interrupted, ConnectReportsHowItEndedAndWhatKeptItFromWaiting) {
  const net::Socket listening = listening_socket();
  const net::Address address = listening.getsockname();
  const std::pair<Call, int> cases[] = {
      {OPTION, ECONNREFUSED}, {OPTION, -ENOBUFS}, {POLL, -ENOMEM}};
  for (const auto& [call, step] : cases) {
    SCOPED_TRACE(step);
    clear();
    net::Socket s = tcp_socket();
    script[CONNECT] = {-EINTR};
    script[call] = {step};
    expect_error([&] { s.connect(address); }, std::abs(step), "connect " + net::to_string(address));
  }
}

TEST_F(Interrupted, CloseIsCalledOnceForEachDescriptorAndLeavesErrnoAlone) {
  net::Socket s = tcp_socket();
  script[CLOSE] = {-EINTR};
  errno = ENOENT;
  s.close();
  EXPECT_EQ(errno, ENOENT);
  net::Socket next = tcp_socket();  // has the number that is free now
  s.close();
  EXPECT_EQ(calls[CLOSE], 1);
  next.getsockname();
  net::Socket(std::move(next)).close();
  next.close();  // has nothing left to close
  EXPECT_EQ(calls[CLOSE], 2);
}

using Failing = Scripted;

TEST_F(Failing, AcceptSaysWhyAndLeavesNoDescriptorBehind) {
  net::Socket listening = listening_socket();
  script[ACCEPT] = {-EMFILE};
  const int open = open_descriptors();
  expect_error([&] { listening.accept(); }, EMFILE, "accept");
  EXPECT_EQ(open_descriptors(), open);
}

// If ai_flags were set, names might not be looked up.
TEST_F(Failing, ResolverGetsAPlainQuestionAndItsFirstAnswerIsTakenBeforeItsListIsFreed) {
  script[RESOLVE] = {2, 0, -EMFILE};
  EXPECT_EQ(net::gethostbyname("two"), "127.0.0.1");
  EXPECT_EQ(last_hints.ai_family, AF_INET);
  EXPECT_EQ(last_hints.ai_socktype, SOCK_STREAM);
  EXPECT_EQ(last_hints.ai_flags, 0);
  EXPECT_EQ(calls[FREE], 1);
  EXPECT_ANY_THROW(net::gethostbyname("a b"));
  expect_error([] { net::gethostbyname("127.1"); }, EMFILE, "getaddrinfo \"127.1\"");
  EXPECT_EQ(calls[FREE], 1) << "there is no list after an error";
}

TEST_F(Failing, GethostnameSaysWhyAndAnyNameOf255BytesIsTakenWhole) {
  script[NAME] = {-ENAMETOOLONG, 1};
  expect_error([] { net::gethostname(); }, ENAMETOOLONG, "gethostname");
  EXPECT_EQ(net::gethostname(), std::string(255, 'x'));
}

}  // namespace
