#include "support.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>
#include <sstream>

// Allocating memory may change errno, so here it always does. An error that is read too late is
// reported as "Inappropriate ioctl for device".
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  void* const memory = std::malloc(size);
  errno = ENOTTY;
  return memory;
}
void* operator new(std::size_t size) {
  void* const memory = operator new(size, std::nothrow);
  if (!memory) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

constexpr int DESCRIPTORS = 256;  // more than the tests ever have open

std::chrono::seconds patience_left{10};

struct Impatience : testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo& test) override {
    const std::chrono::milliseconds taken(test.result()->elapsed_time());
    if (test.result()->Failed() && taken >= patience_left) patience_left = std::chrono::seconds(2);
  }
};

void close_if_open(int& fd) {
  if (fd != -1) ::close(fd);
  fd = -1;
}

// Appends what can be read. At the end (on a terminal, the error EIO), it closes fd.
void read_some(int& fd, std::string& text, int& pieces) {
  char buffer[65536];
  const ssize_t count = ::read(fd, buffer, sizeof buffer);
  if (count <= 0) return close_if_open(fd);
  text.append(buffer, static_cast<std::size_t>(count));
  ++pieces;
}

}  // namespace

int main(int argc, char* argv[]) {
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest& tests = *testing::UnitTest::GetInstance();
  tests.listeners().Append(new Impatience);
  ::signal(SIGPIPE, SIG_IGN);  // typing to a program that has ended must not end the tests
  if (::fcntl(STDIN_FILENO, F_GETFD) == -1)
    ::open("/dev/null", O_RDONLY);  // no test's socket gets 0
  const int result = RUN_ALL_TESTS();
  if (tests.test_to_run_count() > 0) return result;
  std::printf("error: no test has such a name: %s\n", testing::GTEST_FLAG(filter).c_str());
  if (::access("lines.hpp", F_OK) == -1)
    std::puts("error: and this folder has no lines.hpp, which the tests Lines.* need");
  return 1;
}

std::chrono::seconds patience() { return patience_left; }

int open_descriptors() {
  int count = 0;
  for (int fd = 0; fd < DESCRIPTORS; ++fd) count += ::fcntl(fd, F_GETFD) != -1;
  return count;
}

int next_descriptor() {
  const int fd = ::open("/dev/null", O_RDONLY);
  ::close(fd);
  return fd;
}

net::Socket tcp_socket() {
  const int fd = next_descriptor();
  net::Socket s(AF_INET, SOCK_STREAM);
  const timeval limit{patience().count(), 0};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
    ::setsockopt(fd, SOL_SOCKET, option, &limit, sizeof limit);
  return s;
}

net::Socket bound_socket() {
  net::Socket s = tcp_socket();
  s.bind({"127.0.0.1"});  // port 0: any free one
  return s;
}
net::Socket listening_socket(int backlog) {
  net::Socket s = bound_socket();
  s.listen(backlog);
  return s;
}

std::pair<net::Socket, net::Socket> connection() {
  net::Socket listening = listening_socket(), client = tcp_socket();
  client.connect(listening.getsockname());
  return {std::move(client), listening.accept().first};
}

void expect_error(const std::function<void()>& function, int code, const std::string& call) {
  try {
    function();
    ADD_FAILURE() << "no error of " << call;
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::error_code(code, std::generic_category()));
    EXPECT_EQ(error.what(), call + ": " + std::generic_category().message(code));
  }
}

std::string repeat(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

testing::AssertionResult same(std::string_view seen, std::string_view expected) {
  if (seen == expected) return testing::AssertionSuccess();
  const auto end = seen.begin() + std::min(seen.size(), expected.size());
  const auto at = std::mismatch(seen.begin(), end, expected.begin()).first - seen.begin();
  const auto there = [&](std::string_view text) {
    return std::to_string(text.size()) + " bytes, from there on " +
           testing::PrintToString(std::string(text.substr(at, 60)));
  };
  return testing::AssertionFailure()
         << "They differ from byte " << at << " on.\n      seen: " << there(seen)
         << "\n  expected: " << there(expected);
}

std::string contents(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  EXPECT_NE(text.str(), "") << file;
  return text.str();
}

Program::Program(const std::vector<std::string>& arguments, On on,
                 const std::function<void()>& in_child) {
  std::vector<std::string> words = arguments;
  words[0] = OUT "/" + words[0];
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  int in[2], out[2], err[2];  // each a read end and a write end
  const int flags = on == On::packets ? O_DIRECT : 0;
  bool made = ::pipe2(err, flags) == 0;
  if (on == On::terminal) {
    in[1] = ::posix_openpt(O_RDWR | O_NOCTTY);
    made = made && ::grantpt(in[1]) == 0 && ::unlockpt(in[1]) == 0;
    in[0] = ::open(::ptsname(in[1]), O_RDWR | O_NOCTTY);
    out[0] = ::dup(in[1]);
    out[1] = ::dup(in[0]);
  } else {
    made = made && ::pipe(in) == 0 && ::pipe2(out, flags) == 0;
  }
  if (!made) throw std::runtime_error("no pipe or no terminal");
  ::fcntl(in[1], F_SETFL, O_NONBLOCK);
  in_ = in[1], out_ = out[0], err_ = err[0];

  std::fflush(nullptr);  // or the child might repeat what is buffered
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // it must not outlive the tests
    ::setsid();
    for (const int signal : {SIGALRM, SIGINT, SIGPIPE}) ::signal(signal, SIG_DFL);
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    // The first terminal that a session leader opens becomes its controlling terminal (Ctrl-C).
    if (on == On::terminal) ::close(::open(::ptsname(in_), O_RDWR));
    for (int fd = 3; fd < DESCRIPTORS; ++fd) ::close(fd);  // the program must not hold test sockets
    if (in_child) in_child();
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  for (const int fd : {in[0], out[1], err[1]}) ::close(fd);
}

Program::~Program() {
  if (pid_ != -1) ::kill(pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
  for (int* fd : {&in_, &out_, &err_}) close_if_open(*fd);
}

// Types and reads until the condition holds; `what` names what the test waits for.
void Program::wait_until(const std::function<bool()>& done, const std::string& what) {
  const auto deadline = std::chrono::steady_clock::now() + patience();
  while (!done()) {
    pollfd fds[] = {{typed_.empty() ? -1 : in_, POLLOUT, 0}, {out_, POLLIN, 0}, {err_, POLLIN, 0}};
    const bool ended = out_ == -1 && err_ == -1;
    if (ended || std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error((ended ? "the program ended before " : "time ran out before ") +
                               what + "\nstdout: " + out + "\nstderr: " + err);
    const timespec second{1, 0};  // then check the clock again
    ::ppoll(fds, 3, &second, nullptr);
    if (fds[1].revents) read_some(out_, out, out_pieces);
    if (fds[2].revents) read_some(err_, err, err_pieces);
    if (fds[0].revents) {
      const ssize_t count = ::write(in_, typed_.data(), typed_.size());
      if (count > 0) typed_.erase(0, static_cast<std::size_t>(count));
      if (count == -1 && errno == EPIPE) typed_.clear();  // nobody reads any more
    }
  }
}

void Program::type(std::string_view text) {
  typed_ += text;
  wait_until([&] { return typed_.empty(); }, "it had read what was typed");
}
void Program::end_input() { close_if_open(in_); }
void Program::stop_reading() { close_if_open(out_); }
void Program::wait_for_out(const std::string& text) {
  const auto wrong = [&] { return text.compare(0, out.size(), out) != 0; };
  wait_until([&] { return out == text || wrong(); }, '"' + text + "\" came");
  if (wrong()) throw std::runtime_error(std::string("stdout: ") + same(out, text).message());
}
void Program::wait_for_err_lines(int count) {
  wait_until([&] { return std::count(err.begin(), err.end(), '\n') >= count; },
             "line " + std::to_string(count) + " of stderr");
}

testing::AssertionResult Program::ends_with(int expected) {
  wait_until([&] { return out_ == -1 && err_ == -1; }, "its end");
  int status = -1;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  const int seen = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  if (seen == expected) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "It ended with " << seen
         << (seen < 0 ? std::string(" (") + ::strsignal(-seen) + ")" : "") << ", expected was "
         << expected << ".\nstdout: " << out << "\nstderr: " << err;
}

std::uint16_t Program::port() {
  wait_for_err_lines(1);
  const std::size_t end = err.find('\n'), colon = err.rfind(':', end);
  return net::parse_port(err.substr(colon + 1, end - colon - 1));
}

static void set_alarm_every(suseconds_t microseconds) {
  const itimerval every{{0, microseconds}, {0, microseconds}};
  ::setitimer(ITIMER_REAL, &every, nullptr);
}
SignalStorm::SignalStorm() {
  ticks = 0;
  struct sigaction action = {};
  action.sa_handler = [](int) { ++ticks; };  // without SA_RESTART
  ::sigaction(SIGALRM, &action, nullptr);
  set_alarm_every(1000);
}
SignalStorm::~SignalStorm() { set_alarm_every(0); }

Program child(const std::function<void()>& function) {
  return Program({""}, Program::On::pipes, [&] {
    try {
      function();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s", error.what());
      std::exit(1);
    }
    std::exit(testing::Test::HasFailure());
  });
}

void expect_to_end(const std::function<void()>& function) {
  Program program = child([&] {
    ::alarm(5);  // seconds; then SIGALRM ends it
    function();
  });
  EXPECT_TRUE(program.ends_with(0));
}
