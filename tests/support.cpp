#include "support.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <new>
#include <sstream>

// Allocating memory may change errno, so here it always does. An error that is read too late is
// reported as "Inappropriate ioctl for device".
void* operator new(std::size_t size) {
  void* const memory = std::malloc(size);
  if (!memory) throw std::bad_alloc();
  errno = ENOTTY;
  return memory;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using Clock = std::chrono::steady_clock;

constexpr int DESCRIPTORS = 256;  // more than the tests ever have open

void default_signals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Ends the whole run if a test hangs, and names the test.
struct Watchdog : testing::EmptyTestEventListener {
  Watchdog() {
    ::signal(SIGRTMIN, [](int) {
      const testing::TestInfo* const test = testing::UnitTest::GetInstance()->current_test_info();
      std::fprintf(stderr, "hangs: %s.%s\n", test->test_suite_name(), test->name());
      ::_exit(1);
    });
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGRTMIN;
    ::timer_create(CLOCK_MONOTONIC, &event, &timer_);
  }
  void OnTestStart(const testing::TestInfo&) override {
    const itimerspec once{{}, {3 * PATIENCE.count(), 0}};
    ::timer_settime(timer_, 0, &once, nullptr);
  }
  timer_t timer_{};
};

// However this process was started, descriptors 0 to 2 are open and signals have their default
// actions. SIGPIPE alone is ignored: typing to a program that has ended must not end the tests.
const bool prepared = [] {
  while (::open("/dev/null", O_RDWR | O_CLOEXEC) <= STDERR_FILENO) continue;
  default_signals();
  ::signal(SIGPIPE, SIG_IGN);
  testing::UnitTest::GetInstance()->listeners().Append(new Watchdog);
  static const pid_t tests = ::getpid();
  std::atexit([] {  // a test that exits with 0 must not look like a success
    if (::getpid() == tests && testing::UnitTest::GetInstance()->current_test_info()) ::_exit(1);
  });
  return true;
}();

void close_if_open(int& fd) {
  if (fd != -1) ::close(fd);
  fd = -1;
}

// Appends what can be read. At the end (for a terminal, that is the error EIO) it closes fd.
void read_some(int& fd, std::string& text, int& pieces) {
  char buffer[65536];
  const ssize_t count = ::read(fd, buffer, sizeof buffer);
  if (count <= 0) return close_if_open(fd);
  text.append(buffer, static_cast<std::size_t>(count));
  ++pieces;
}

}  // namespace

int open_descriptors() {
  int count = 0;
  for (int fd = 0; fd < DESCRIPTORS; ++fd) count += ::fcntl(fd, F_GETFD) != -1;
  return count;
}

net::Socket tcp_socket() { return net::Socket(AF_INET, SOCK_STREAM); }

net::Socket bound_socket() {
  net::Socket s = tcp_socket();
  s.bind({"127.0.0.1", 0});
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

std::string pattern(std::size_t count) {
  std::string bytes(count, '\0');
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(i * 31 + i / 251);
  return bytes;
}

std::string repeat(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

Program::Program(const std::vector<std::string>& arguments, On on,
                 const std::function<void()>& in_child) {
  std::vector<std::string> words = arguments;
  words[0] = std::filesystem::path(FOLDER) / PROGRAMS / words[0];
  if (const char* runner = std::getenv("RUNNER")) {
    std::istringstream in_front(runner);
    words.insert(words.begin(), std::istream_iterator<std::string>(in_front), {});
  }
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  int in[2], out[2], err[2];  // the ends to read and to write
  const int flags = O_CLOEXEC | (on == On::packets ? O_DIRECT : 0);
  if (on == On::terminal) {
    in[1] = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ::grantpt(in[1]);
    ::unlockpt(in[1]);
    in[0] = ::open(::ptsname(in[1]), O_RDWR | O_NOCTTY | O_CLOEXEC);
    out[0] = ::fcntl(in[1], F_DUPFD_CLOEXEC, 0);
    out[1] = ::fcntl(in[0], F_DUPFD_CLOEXEC, 0);
  } else if (::pipe2(in, O_CLOEXEC) == -1 || ::pipe2(out, flags) == -1) {
    throw std::runtime_error("no pipe");
  }
  if (::pipe2(err, flags) == -1) throw std::runtime_error("no pipe");
  ::fcntl(in[1], F_SETFL, O_NONBLOCK);
  in_ = in[1], out_ = out[0], err_ = err[0];

  std::fflush(nullptr);  // otherwise the child might print it too
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // it must not outlive the tests
    ::setsid();
    default_signals();
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
  if (pid_ != -1) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  for (int* fd : {&in_, &out_, &err_}) close_if_open(*fd);
}

void Program::wait_until(const std::function<bool()>& done, const std::string& what) {
  const auto deadline = Clock::now() + PATIENCE;
  while (!done()) {
    pollfd fds[] = {{typed_.empty() ? -1 : in_, POLLOUT, 0}, {out_, POLLIN, 0}, {err_, POLLIN, 0}};
    const bool ended = out_ == -1 && err_ == -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (ended || left.count() <= 0 || ::poll(fds, 3, static_cast<int>(left.count())) == 0) {
      throw std::runtime_error((ended ? "the program ended before " : "the time is over before ") +
                               what + "\nstdout: " + out + "\nstderr: " + err);
    }
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
  wait_until([&] { return out.size() >= text.size(); }, '"' + text + "\" came");
  EXPECT_EQ(out, text);
}
void Program::wait_for_err(const std::string& text) {
  wait_until([&] { return err.find(text) != std::string::npos; }, '"' + text + "\" came");
}

int Program::wait() {
  wait_until([&] { return out_ == -1 && err_ == -1; }, "its end");
  int status = 0;
  const pid_t pid = std::exchange(pid_, -1);
  if (::waitpid(pid, &status, 0) != pid) throw std::runtime_error("its exit status is lost");
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void Program::stop_and_continue() {
  ::kill(pid_, SIGSTOP);
  int status = 0;
  if (::waitpid(pid_, &status, WUNTRACED) != pid_ || !WIFSTOPPED(status))
    throw std::runtime_error("the program did not stop");
  ::kill(pid_, SIGCONT);
}

std::uint16_t Program::port() {
  wait_for_err("\n");
  const std::size_t end = err.find('\n'), colon = err.rfind(':', end);
  return net::parse_port(err.substr(colon + 1, end - colon - 1));
}

Program child(const std::function<void()>& function, Program::On on) {
  return Program({""}, on, [&] {
    try {
      function();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s", error.what());
      std::exit(1);
    }
    std::exit(testing::Test::HasFailure());
  });
}
