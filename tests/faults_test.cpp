// The bad days: interrupted calls, short sends, peers that are gone, calls that fail.
//
// Where the kernel can be brought to it, it is done for real: a timer's signal interrupts what
// waits. Where it can't, the call is scripted: this binary is linked with --wrap=send and the like,
// so that net.cpp's calls come here first.
#include <gtest/gtest.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <thread>

#include "support.hpp"

namespace {

// What a thread's next calls of a name do. 0: what they always do. -E: fail with E (getaddrinfo:
// EAI_SYSTEM, errno E). n: send takes at most n bytes, gethostname gives a name of x's that fills
// its room. A script that has come to its end: 0.
thread_local std::map<std::string, std::deque<int>> script;
thread_local std::map<std::string, int> calls;
// What the resolver was asked for at last.
thread_local addrinfo last_hints;
// Over all threads: what the kernel really did.
std::atomic<int> interrupted{0}, short_sends{0};

int next_step(const std::string& name) {
  ++calls[name];
  std::deque<int>& steps = script[name];
  if (steps.empty()) return 0;
  const int step = steps.front();
  steps.pop_front();
  if (step < 0) errno = -step;
  return step;
}

template <typename Result>
Result counted(Result result) {
  if (result == -1 && errno == EINTR) ++interrupted;
  return result;
}

struct Scripts : testing::Test {
  Scripts() { clear(); }
  ~Scripts() override { clear(); }
  static void clear() {
    script.clear();
    calls.clear();
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
  return next_step("accept") < 0 ? -1 : counted(__real_accept(fd, address, size));
}

// Closes and then fails: that is what Linux does.
int __wrap_close(int fd) {
  const int step = next_step("close");
  const int result = __real_close(fd);
  if (step < 0) errno = -step;
  return step < 0 ? -1 : result;
}

// A connect that is interrupted goes on: so does this.
int __wrap_connect(int fd, const sockaddr* address, socklen_t size) {
  const int step = next_step("connect");
  const int result = counted(__real_connect(fd, address, size));
  if (step < 0) errno = -step;
  return step < 0 ? -1 : result;
}

void __wrap_freeaddrinfo(addrinfo* list) {
  next_step("freeaddrinfo");
  __real_freeaddrinfo(list);
}

int __wrap_getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                       addrinfo** list) {
  const int step = next_step("getaddrinfo");
  last_hints = *hints;
  return step < 0 ? EAI_SYSTEM : __real_getaddrinfo(host, service, hints, list);
}

// POSIX: a name that is too long may be cut without a terminating NUL.
int __wrap_gethostname(char* name, size_t size) {
  const int step = next_step("gethostname");
  if (step > 0) std::memset(name, 'x', size);
  return step < 0 ? -1 : step > 0 ? 0 : __real_gethostname(name, size);
}

int __wrap_getsockopt(int fd, int level, int name, void* value, socklen_t* size) {
  return next_step("getsockopt") < 0 ? -1 : __real_getsockopt(fd, level, name, value, size);
}

int __wrap_poll(pollfd* fds, nfds_t count, int timeout) {
  return next_step("poll") < 0 ? -1 : counted(__real_poll(fds, count, timeout));
}

ssize_t __wrap_recv(int fd, void* bytes, size_t size, int flags) {
  return next_step("recv") < 0 ? -1 : counted(__real_recv(fd, bytes, size, flags));
}

ssize_t __wrap_send(int fd, const void* bytes, size_t size, int flags) {
  const int step = next_step("send");
  if (step > 0) size = std::min(size, static_cast<size_t>(step));
  const ssize_t result = step < 0 ? -1 : counted(__real_send(fd, bytes, size, flags));
  if (result >= 0 && static_cast<size_t>(result) < size) ++short_sends;
  return result;
}
}

namespace {

using std::chrono::steady_clock;

std::atomic<int> ticks{0};

// While it lives, SIGALRM interrupts the thread that made it, a thousand times a second.
class SignalStorm {
 public:
  SignalStorm() {
    struct sigaction action = {};
    action.sa_handler = [](int) { ++ticks; };  // and no SA_RESTART
    ::sigaction(SIGALRM, &action, &before_);
    set_timer(1000);
  }
  ~SignalStorm() {
    set_timer(0);
    ::sigaction(SIGALRM, &before_, nullptr);
  }

 private:
  static void set_timer(suseconds_t microseconds) {
    const itimerval every{{0, microseconds}, {0, microseconds}};
    ::setitimer(ITIMER_REAL, &every, nullptr);
  }
  struct sigaction before_ = {};
};

// The other end of a test, in a thread that no SIGALRM reaches.
class PeerThread {
 public:
  explicit PeerThread(const std::function<void()>& work) {
    sigset_t alarm, before;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, &before);
    thread_ = std::thread(work);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~PeerThread() { thread_.join(); }

 private:
  std::thread thread_;
};

// Waits, in a PeerThread, until the kernel has interrupted so many calls; gives up after PATIENCE.
void wait_for_interruptions(int count) {
  const auto deadline = steady_clock::now() + PATIENCE;
  while (interrupted < count && steady_clock::now() < deadline) std::this_thread::yield();
}

// ---- short sends

using ShortSends = Scripts;

// Sends the bytes through a signal storm. Returns what the reader received; it calls before_piece
// before each recv.
std::string sent_through_a_storm(const std::string& bytes,
                                 const std::function<void()>& before_piece) {
  Connection ends = connection();
  std::string received;
  const SignalStorm storm;
  {
    PeerThread reader([&] {
      while (true) {
        before_piece();
        const std::string piece = ends.server.recv(1 << 18);
        if (piece.empty()) break;
        received += piece;
      }
    });
    net::Socket sender = std::move(ends.client);  // closed before the reader is waited for,
    sender.sendall(bytes);                        // also where this throws
    sender.close();
  }
  return received;
}

void wait_for_a_tick() {
  const int seen = ticks;
  while (ticks == seen) std::this_thread::yield();
}

TEST_F(ShortSends, SendallDeliversEveryByteInOrderToASlowReaderThroughASignalStorm) {
  const std::string bytes = pattern(16 << 20);
  EXPECT_TRUE(sent_through_a_storm(bytes, wait_for_a_tick) == bytes);
  EXPECT_GE(short_sends, 1);
}

struct Case {
  std::vector<int> steps;
  int calls;
};

TEST_F(ShortSends, SendallGoesOnWhereAShortOrInterruptedSendStopped) {
  const std::string bytes = pattern(100);
  const Case cases[] = {
      {{}, 1},
      {{1}, 2},
      {{99}, 2},
      {{100}, 1},
      {{1, 2, 3, 4}, 5},
      {{-EINTR}, 2},
      {{-EINTR, -EINTR, 50, -EINTR, 49, 1}, 6},
      {std::vector<int>(100, 1), 100},
  };
  for (const Case& c : cases) {
    clear();
    auto [sender, receiver] = connection();
    script["send"].assign(c.steps.begin(), c.steps.end());
    sender.sendall(bytes);
    EXPECT_EQ(calls["send"], c.calls);
    sender.close();
    EXPECT_EQ(recv_all(receiver), bytes);
  }
}

TEST_F(ShortSends, WhatWasTakenBeforeAnErrorArrivesInOrder) {
  const std::string bytes = pattern(100);
  auto [sender, receiver] = connection();
  script["send"] = {10, -EINTR, 20, -ECONNRESET};
  expect_error([&, &s = sender] { s.sendall(bytes); }, ECONNRESET, "send");
  EXPECT_EQ(calls["send"], 4);
  sender.close();
  EXPECT_EQ(recv_all(receiver), bytes.substr(0, 30));
}

TEST_F(ShortSends, SendTellsThatItWasShort) {
  auto [sender, receiver] = connection();
  script["send"] = {3};
  EXPECT_EQ(sender.send("12345"), 3u);
  EXPECT_EQ(calls["send"], 1);
  EXPECT_EQ(receiver.recv(1024), "123");
}

// ---- interrupted calls

using Interrupted = Scripts;

TEST_F(Interrupted, RecvWaitsOn) {
  auto [client, server] = connection();
  PeerThread sender([&s = server] {
    wait_for_interruptions(3);
    s.sendall("at last");
  });
  const SignalStorm storm;
  EXPECT_EQ(client.recv(1024), "at last");
  EXPECT_GE(interrupted, 3);
}

TEST_F(Interrupted, AcceptWaitsOn) {
  net::Socket listening = listening_socket();
  PeerThread client([&] {
    wait_for_interruptions(3);
    net::Socket(AF_INET, SOCK_STREAM).connect(listening.getsockname());
  });
  const SignalStorm storm;
  EXPECT_EQ(listening.accept().second.host, "127.0.0.1");
  EXPECT_GE(interrupted, 3);
}

TEST_F(Interrupted, SendWaitsOn) {
  const std::string bytes = pattern(16 << 20);
  const auto before_the_first = [first = true]() mutable {
    if (std::exchange(first, false)) wait_for_interruptions(3);
  };
  EXPECT_TRUE(sent_through_a_storm(bytes, before_the_first) == bytes);
  EXPECT_GE(interrupted, 3);
}

// A connection that waits: the queue behind listen(0) holds one, and is full.
struct FullQueue {
  net::Socket listening = listening_socket(0);
  net::Socket first{AF_INET, SOCK_STREAM};
  FullQueue() { first.connect(listening.getsockname()); }
};

// The kernel asks again after a second, so these two take that long.
TEST_F(Interrupted, ConnectWaitsOnAndIsNotCalledAgain) {
  FullQueue queue;
  PeerThread server([&] {
    wait_for_interruptions(3);
    queue.listening.accept();
  });
  const SignalStorm storm;
  net::Socket s(AF_INET, SOCK_STREAM);
  s.connect(queue.listening.getsockname());
  EXPECT_EQ(calls["connect"], 2) << "the queue's one, and this one's";
  EXPECT_GE(calls["poll"], 2);
  EXPECT_GE(interrupted, 3);
  queue.listening.accept().first.sendall("welcome");
  EXPECT_EQ(s.recv(1024), "welcome");
}

TEST_F(Interrupted, ConnectThatIsRefusedAfterAllSaysSo) {
  FullQueue queue;
  const net::Address address = queue.listening.getsockname();
  PeerThread server([&] {
    wait_for_interruptions(3);
    queue.listening.close();
  });
  const SignalStorm storm;
  net::Socket s(AF_INET, SOCK_STREAM);
  expect_error([&] { s.connect(address); }, ECONNREFUSED, "connect " + net::to_string(address));
  EXPECT_EQ(calls["connect"], 2) << "the queue's one, and this one's";
}

TEST_F(Interrupted, EachCallButConnectIsCalledAgainByScript) {
  net::Socket listening = listening_socket();
  net::Socket client(AF_INET, SOCK_STREAM);
  script["connect"] = {-EINTR};
  script["poll"] = {-EINTR, -EINTR};
  script["accept"] = {-EINTR, -EINTR};
  client.connect(listening.getsockname());
  EXPECT_EQ(calls["connect"], 1);
  EXPECT_EQ(calls["poll"], 3);
  net::Socket server = listening.accept().first;
  EXPECT_EQ(calls["accept"], 3);
  script["send"] = {-EINTR, -EINTR};
  script["recv"] = {-EINTR, -EINTR};
  EXPECT_EQ(client.send("hello"), 5u);
  EXPECT_EQ(calls["send"], 3);
  EXPECT_EQ(server.recv(1024), "hello");
  EXPECT_EQ(calls["recv"], 3);
}

TEST_F(Interrupted, ConnectIsFinishedOnlyAfterEintr) {
  const net::Socket listening = listening_socket(), silent = bound_socket();
  net::Socket s(AF_INET, SOCK_STREAM), other(AF_INET, SOCK_STREAM);
  s.connect(listening.getsockname());
  EXPECT_ANY_THROW(other.connect(silent.getsockname()));
  EXPECT_EQ(calls["poll"], 0);
}

TEST_F(Interrupted, ConnectSaysWhatKeptItFromWaiting) {
  const net::Socket listening = listening_socket();
  const net::Address address = listening.getsockname();
  for (const char* call : {"poll", "getsockopt"}) {
    clear();
    net::Socket s(AF_INET, SOCK_STREAM);
    script["connect"] = {-EINTR};
    script[call] = {-ENOMEM};
    expect_error([&] { s.connect(address); }, ENOMEM, "connect " + net::to_string(address));
  }
}

TEST_F(Interrupted, CloseIsNotCalledAgain) {
  const std::size_t open = open_descriptors();
  net::Socket s(AF_INET, SOCK_STREAM);
  calls["close"] = 0;
  script["close"] = {-EINTR};
  s.close();
  EXPECT_EQ(calls["close"], 1);
  s.close();
  EXPECT_EQ(calls["close"], 1);
  EXPECT_EQ(open_descriptors(), open);
}

TEST_F(Interrupted, CloseIsCalledOnceForEachDescriptorHoweverItIsMoved) {
  {
    net::Socket one(AF_INET, SOCK_STREAM), other(AF_INET, SOCK_STREAM);
    net::Socket moved(std::move(one));
    other = std::move(moved);
    EXPECT_EQ(calls["close"], 1);
  }
  EXPECT_EQ(calls["close"], 2);
}

// ---- peers that are gone

using GonePeer = Scripts;

// Where a SIGPIPE were let through, it would kill this test.
TEST_F(GonePeer, ThatClosedWithNothingUnreadMakesSendallThrowEpipe) {
  auto [client, server] = connection();
  server.close();
  EXPECT_EQ(client.recv(1), "");
  expect_error([&s = client] { s.sendall(pattern(4 << 20)); }, EPIPE, "send");
}

TEST_F(GonePeer, ThatClosedWithBytesUnreadMakesSendallThrowEconnreset) {
  auto [client, server] = connection();
  client.sendall("never read");
  server.close();
  expect_error([&s = client] { s.sendall(pattern(4 << 20)); }, ECONNRESET, "send");
}

TEST_F(GonePeer, ThatResetMakesRecvThrowEconnreset) {
  auto [client, server] = connection();
  client.sendall("never read");
  server.close();
  expect_error([&s = client] { s.recv(1); }, ECONNRESET, "recv");
}

// ---- calls that fail

using Failing = Scripts;

TEST_F(Failing, AcceptSaysWhy) {
  net::Socket listening = listening_socket();
  script["accept"] = {-EMFILE};
  const std::size_t open = open_descriptors();
  expect_error([&] { listening.accept(); }, EMFILE, "accept");
  EXPECT_EQ(open_descriptors(), open);
}

// stdin's number is free, and no higher one is to be had.
TEST_F(Failing, SocketSaysWhyAndLeavesStdinsNumberFree) {
  const int keep = ::dup(STDIN_FILENO);
  rlimit limit;
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit no_more{static_cast<rlim_t>(keep) + 1, limit.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &no_more);
  ::close(STDIN_FILENO);
  const std::system_error error = error_of([] { net::Socket(AF_INET, SOCK_STREAM); });
  const int free = ::dup(keep);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::close(keep);
  EXPECT_STREQ(error.what(), "socket: Too many open files");
  EXPECT_EQ(free, STDIN_FILENO);
}

TEST_F(Failing, ResolverSaysWhatTheSystemSays) {
  script["getaddrinfo"] = {-EMFILE};
  expect_error([] { net::gethostbyname("127.1"); }, EMFILE, "getaddrinfo \"127.1\"");
}

TEST_F(Failing, ResolverIsAskedForIPv4AndTcpAlone) {
  net::gethostbyname("127.1");
  EXPECT_EQ(last_hints.ai_family, AF_INET);
  EXPECT_EQ(last_hints.ai_socktype, SOCK_STREAM);
}

TEST_F(Failing, ResolversListIsFreedOnce) {
  net::gethostbyname("127.0.0.1");
  EXPECT_EQ(calls["freeaddrinfo"], 1);
  EXPECT_ANY_THROW(net::gethostbyname("a b"));
  EXPECT_EQ(calls["freeaddrinfo"], 1);
}

TEST_F(Failing, GethostnameSaysWhy) {
  script["gethostname"] = {-ENAMETOOLONG};
  expect_error([] { net::gethostname(); }, ENAMETOOLONG, "gethostname");
}

TEST_F(Failing, HostNameOf255BytesIsTakenWhole) {
  script["gethostname"] = {1};
  EXPECT_EQ(net::gethostname(), std::string(255, 'x'));
}

TEST_F(Failing, DestructorLeavesErrnoAlone) {
  errno = ENOENT;
  {
    script["close"] = {-EIO};
    const net::Socket s(AF_INET, SOCK_STREAM);
  }
  EXPECT_EQ(errno, ENOENT);
}

}  // namespace
