#include "support.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

using Clock = std::chrono::steady_clock;

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* const directory = ::opendir("/proc/self/fd");
  while (::readdir(directory)) ++count;
  ::closedir(directory);
  return count;
}

net::Socket bound_socket() {
  net::Socket s(AF_INET, SOCK_STREAM);
  s.bind({"127.0.0.1", 0});
  return s;
}

net::Socket listening_socket(int backlog) {
  net::Socket s = bound_socket();
  s.listen(backlog);
  return s;
}

Connection connection() {
  net::Socket listening = listening_socket();
  net::Socket client(AF_INET, SOCK_STREAM);
  client.connect(listening.getsockname());
  return {std::move(client), listening.accept().first};
}

std::string recv_all(net::Socket& s) {
  std::string all;
  for (std::string piece; !(piece = s.recv(65536)).empty();) all += piece;
  return all;
}

std::system_error error_of(const std::function<void()>& function) {
  try {
    function();
  } catch (const std::system_error& error) {
    return error;
  }
  ADD_FAILURE() << "no std::system_error was thrown";
  return std::system_error(std::error_code());
}

void expect_error(const std::function<void()>& function, int code, const std::string& call) {
  const std::system_error error = error_of(function);
  EXPECT_EQ(error.code(), std::error_code(code, std::generic_category()));
  EXPECT_EQ(error.what(), call + ": " + std::generic_category().message(code));
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

namespace {

struct Pipe {
  int read = -1, write = -1;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) == -1) throw std::system_error(errno, std::generic_category());
    read = ends[0];
    write = ends[1];
  }
};

void close_if_open(int& fd) {
  if (fd != -1) ::close(fd);
  fd = -1;
}

// Adds what can be read to text. At the end of it (EIO is a terminal's), closes.
void read_some(int& fd, std::string& text) {
  char buffer[65536];
  const ssize_t count = ::read(fd, buffer, sizeof buffer);
  if (count > 0)
    text.append(buffer, static_cast<std::size_t>(count));
  else
    close_if_open(fd);
}

// Writes what fits, and takes it from the front of text: all of it where nobody reads any more.
void write_some(int fd, std::string& text) {
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  const ssize_t count = ::write(fd, text.data(), text.size());
  if (count >= 0) text.erase(0, static_cast<std::size_t>(count));
  if (count == -1 && errno == EPIPE) text.clear();
  ::signal(SIGPIPE, before);
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments, On on,
                 const std::function<void()>& in_child) {
  std::vector<std::string> words = arguments;
  words[0] = std::string(PROGRAMS) + '/' + words[0];
  if (const char* runner = std::getenv("RUNNER")) {
    std::istringstream in_front(runner);
    words.insert(words.begin(), std::istream_iterator<std::string>(in_front), {});
  }
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  int child_in, child_out;
  if (on == On::terminal) {
    in_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ::grantpt(in_);
    ::unlockpt(in_);
    out_ = ::fcntl(in_, F_DUPFD_CLOEXEC, 0);
    child_in = ::open(::ptsname(in_), O_RDWR | O_NOCTTY | O_CLOEXEC);
    child_out = ::fcntl(child_in, F_DUPFD_CLOEXEC, 0);
  } else {
    const Pipe to, from;
    child_in = to.read;
    in_ = to.write;
    out_ = from.read;
    child_out = from.write;
  }
  ::fcntl(in_, F_SETFL, O_NONBLOCK);
  const Pipe errors;
  err_ = errors.read;

  pid_ = ::fork();
  if (pid_ == 0) {
    ::setsid();
    ::dup2(child_in, 0);
    ::dup2(child_out, 1);
    ::dup2(errors.write, 2);
    // The first terminal that a session's leader opens is the one whose Ctrl-C it gets.
    if (on == On::terminal) ::close(::open(::ptsname(in_), O_RDWR));
    for (int fd = 3; fd < 256; ++fd) ::close(fd);  // the test's sockets are not for it
    if (in_child) in_child();
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(child_in);
  ::close(child_out);
  ::close(errors.write);
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
    if (fds[1].revents) read_some(out_, out);
    if (fds[2].revents) read_some(err_, err);
    if (fds[0].revents) write_some(in_, typed_);
  }
}

void Program::type(std::string_view text) {
  typed_ += text;
  wait_until([&] { return typed_.empty(); }, "it had read what was typed");
}

void Program::end_input() { close_if_open(in_); }

void Program::wait_for_out(std::string_view text) {
  wait_until([&] { return out.find(text) != std::string::npos; },
             '"' + std::string(text) + "\" came");
}

void Program::wait_for_err(std::string_view text) {
  wait_until([&] { return err.find(text) != std::string::npos; },
             '"' + std::string(text) + "\" came");
}

int Program::wait() {
  wait_until([&] { return out_ == -1 && err_ == -1; }, "its end");
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void Program::stop_and_continue() {
  ::kill(pid_, SIGSTOP);
  int status = 0;
  ::waitpid(pid_, &status, WUNTRACED);
  ASSERT_TRUE(WIFSTOPPED(status));
  ::kill(pid_, SIGCONT);
}

std::uint16_t Program::port() {
  const std::string before = "server: listening on ";
  std::size_t end = 0;
  wait_until([&] { return (end = err.find('\n')) != std::string::npos; }, "it listened");
  const std::size_t colon = err.find(':', before.size());
  return net::parse_port(err.substr(colon + 1, end - colon - 1));
}

long Program::resident() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string word; status >> word;) {
    long kib = 0;
    if (word == "VmRSS:" && status >> kib) return kib;
  }
  return -1;
}
