// What the tests share: connected sockets, expected errors, and child processes.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net.hpp"

// How long anything may take before a test gives up. It is a deadline, never a pause.
constexpr std::chrono::seconds PATIENCE{20};

const std::string REPLACED = "\uFFFD";  // what malformed bytes and control characters become

int open_descriptors();   // how many
int next_descriptor();    // the lowest free number, which the next socket gets
std::size_t allocated();  // how many bytes operator new has given out and not got back

// The tests' own sockets, and those that they accept, give up after PATIENCE.
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
  // Reads what it prints until the condition holds; `what` names what the test waits for.
  void wait_until(const std::function<bool()>& done, const std::string& what);
  // Waits until its stdout is exactly this, or until its stderr contains it.
  void wait_for_out(const std::string& text);
  void wait_for_err(const std::string& text);
  // Waits for it to end. Returns its exit status or minus the number of the signal that ended it.
  int wait();
  // Stops it and lets it continue, as Ctrl-Z and fg would.
  void stop_and_continue();
  // The port in the server's "listening on HOST:PORT".
  std::uint16_t port();

  std::string out, err;                // what the test has read so far
  int out_pieces = 0, err_pieces = 0;  // how many reads that took

 private:
  pid_t pid_ = -1;
  int in_ = -1, out_ = -1, err_ = -1;
  std::string typed_;  // not yet written
};

// A child process that runs this function, not a program. It exits with 1 after a failure or an
// exception, whose what() it writes to stderr.
Program child(const std::function<void()>& function, Program::On on = Program::On::pipes);
