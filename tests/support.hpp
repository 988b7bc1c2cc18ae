// What the tests share: connected sockets, expected errors, and child processes.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net.hpp"

// How long a test waits for anything before it gives up: ten seconds, but two once a test
// has run out of time, so that a broken program ends in a list of failures. Never a pause.
std::chrono::seconds patience();

int open_descriptors();  // how many
int next_descriptor();   // the lowest free number, which the next socket gets

// The tests' own sockets, and those that they accept, give up after patience().
net::Socket tcp_socket();
// Has a free port of 127.0.0.1 but does not listen: connecting to it is refused.
net::Socket bound_socket();
// Listens on a free port of 127.0.0.1.
net::Socket listening_socket(int backlog = 10);
// The client's and the server's end of one connection over 127.0.0.1.
std::pair<net::Socket, net::Socket> connection();

// The function must throw a std::system_error with this code, and this text before the system's.
void expect_error(const std::function<void()>& function, int code, const std::string& call);

std::string repeat(std::string_view text, std::size_t times);
// Two texts that may be long: a failure shows where they begin to differ.
testing::AssertionResult same(std::string_view seen, std::string_view expected);
// A file's text; a file that is missing or empty is a failure.
std::string contents(const std::string& file);

// While it lives, SIGALRM interrupts the thread that made it, a thousand times a second.
struct SignalStorm {
  SignalStorm();
  ~SignalStorm();
  inline static std::atomic<int> ticks{0};
};

// One of the two programs as a child process. A wait that takes too long throws what the program
// has printed; the destructor kills the program.
class Program {
 public:
  // What its stdin and stdout are. Packets are pipes that keep separate writes apart. On a
  // terminal, out is what the screen shows: output and echo.
  enum class On { pipes, packets, terminal };

  // in_child runs in the child, just before the program starts.
  explicit Program(const std::vector<std::string>& arguments, On on = On::pipes,
                   const std::function<void()>& in_child = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void type(std::string_view text);
  void end_input();
  void stop_reading();  // what it writes to stdout
  // Waits until its stdout is exactly this; throws at the first byte that is wrong.
  void wait_for_out(const std::string& text);
  // Waits until it has written this many lines to stderr.
  void wait_for_err_lines(int count);
  // Waits for its end: its exit status must be this, or minus the number of the signal that ended
  // it. A failure shows what it has printed.
  testing::AssertionResult ends_with(int status);
  // The port in the server's first line on stderr.
  std::uint16_t port();

  std::string out, err;                // what the test has read so far
  int out_pieces = 0, err_pieces = 0;  // how many reads that took

 private:
  void wait_until(const std::function<bool()>& done, const std::string& what);

  pid_t pid_ = -1;
  int in_ = -1, out_ = -1, err_ = -1;
  std::string typed_;  // not yet written
};

// A child process that runs this function, not a program. It exits with 1 after a failure or an
// exception, whose what() it writes to stderr.
Program child(const std::function<void()>& function);
// Runs the function in a child for five seconds at most: a loop without end becomes a failure.
void expect_to_end(const std::function<void()>& function);
