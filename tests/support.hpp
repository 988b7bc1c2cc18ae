// What the tests share: waiting with a deadline, connected sockets, and the programs as child
// processes.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "net.hpp"

// How long anything may take before a test gives up. It is a deadline, never a pause.
constexpr std::chrono::seconds PATIENCE{20};

// How many descriptors this process has open.
std::size_t open_descriptors();

// A TCP socket that has a free port of 127.0.0.1, but does not listen: who connects is refused.
net::Socket bound_socket();

// A TCP socket that listens on a free port of 127.0.0.1.
net::Socket listening_socket(int backlog = 10);

// The two ends of one connection over 127.0.0.1.
struct Connection {
  net::Socket client, server;
};
Connection connection();

// Everything that comes until the peer closes.
std::string recv_all(net::Socket& s);

// The std::system_error that a function throws; the test fails where it throws none.
std::system_error error_of(const std::function<void()>& function);

// Given a failing function: its error has this code, and this text before the system's words.
void expect_error(const std::function<void()>& function, int code, const std::string& call);

// `count` bytes in which each place can be told from its neighbours.
std::string pattern(std::size_t count);

// A text many times over.
std::string repeat(std::string_view text, std::size_t times);

// One of the two programs, as a child process; where RUNNER is set ("valgrind -q"), run by that.
// Every wait has the deadline; after it the test fails with what the program has printed, and the
// program is killed.
class Program {
 public:
  // What its stdin and stdout are. On a terminal, out is what the screen shows: output and echo.
  enum class On { pipes, terminal };

  // in_child runs in the child, just before the program starts.
  explicit Program(const std::vector<std::string>& arguments, On on = On::pipes,
                   const std::function<void()>& in_child = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Types a text at its stdin.
  void type(std::string_view text);
  void end_input();
  // Reads what it prints until the condition holds; `what` says what is waited for.
  void wait_until(const std::function<bool()>& done, const std::string& what);
  // Waits until its stdout or stderr, all of it so far, has this text.
  void wait_for_out(std::string_view text);
  void wait_for_err(std::string_view text);
  // Waits for its end. The exit status; where a signal ended it, minus the signal's number.
  int wait();

  // What Ctrl-Z and then fg do to it.
  void stop_and_continue();

  // The port in the server's "listening on HOST:PORT", once it is there.
  std::uint16_t port();
  // Its memory in use, in KiB.
  long resident() const;

  std::string out, err;  // what it has printed, as far as it was waited for

 private:
  pid_t pid_ = -1;
  int in_ = -1, out_ = -1, err_ = -1;
  std::string typed_;  // not yet written
};
