// The parts of Python that the two scripts use, in C++. Most comments begin with the Python code.
// Errors are exceptions, as in Python. A failed call throws std::system_error: code() is errno's
// value, and what() names the call or stream and, for bind and connect, the address
// ("connect 99.100.101.102:7000: Connection refused"). If a host cannot be resolved, bind, connect
// and gethostbyname throw std::runtime_error with the host and the resolver's message. A socket
// call interrupted by a signal is resumed. If stdin, stdout or stderr is closed, no socket is
// opened and no host is resolved: the error is EBADF.
#pragma once

#include <sys/socket.h>  // AF_INET, SOCK_STREAM, SOL_SOCKET, SO_REUSEADDR

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace net {

// ADDR = (HOST, PORT): a hostname or dotted IPv4 address, up to any NUL; a port in host byte order.
struct Address {
  std::string host;
  std::uint16_t port = 0;
};
// "%s:%d" % ADDR: the address as text.
std::string to_string(const Address& address);

// s = socket.socket(...): owns one descriptor and closes it, in the destructor if not before. A
// Socket can be moved (Socket&&: the new owner takes over the descriptor) but not copied or
// assigned, so each descriptor has exactly one owner and is closed only once.
class Socket {
 public:
  // socket.socket(family, type): opens a socket. SOCK_STREAM is TCP; the family must be AF_INET
  // (IPv4).
  Socket(int family, int type);
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Socket() { close(); }

  // s.setsockopt(level, name, value): sets an option whose value is an int.
  void setsockopt(int level, int name, int value);
  // s.bind(ADDR): resolves the host and binds the socket to that address; port 0: any free port.
  void bind(const Address& address);
  // s.listen(backlog): lets peers connect; about `backlog` of them may wait to be accepted.
  void listen(int backlog);
  // sock, addr = s.accept(): waits for a peer; returns its connection and its address.
  std::pair<Socket, Address> accept();
  // s.connect(ADDR): resolves the host and waits until the connection is established.
  void connect(const Address& address);

  // s.recv(bufsize): waits for bytes and returns 1 to bufsize of them, or none once the peer has
  // closed and no more will come. bufsize must be at least 1.
  std::string recv(std::size_t bufsize);
  // s.send(data): sends once and returns how many bytes the system accepted, possibly fewer
  // than given (the compiler warns if you ignore the result). It never raises SIGPIPE: once the
  // peer has reset the connection, send fails like any other call (EPIPE, say, or ECONNRESET).
  [[nodiscard]] std::size_t send(std::string_view data);
  // s.sendall(data): sends until the system has accepted every byte, or a send fails.
  void sendall(std::string_view data);

  // s.getsockname(): the socket's local address, including a port that the system chose.
  Address getsockname() const;
  // s.close(): closes the descriptor, if it is still open. Reports no error.
  void close() noexcept;

 private:
  explicit Socket(int fd) noexcept : fd_(fd) {}

  int fd_;  // -1 if none
};

// socket.gethostname(): this machine's own name.
std::string gethostname();
// socket.gethostbyname(name): the name's first IPv4 address, dotted.
std::string gethostbyname(const std::string& name);
// PORT = int(text): digits only, 0 to 65535; anything else throws std::invalid_argument.
std::uint16_t parse_port(std::string_view text);

// buf.decode('utf-8'), for a stream that may be split anywhere: an incomplete character at the end
// of a piece (at most 3 bytes) is kept for the next piece, and dropped if none comes.
class TextDecoder {
 public:
  // Returns, as UTF-8, the characters that these bytes complete: possibly none, even if bytes is
  // not empty. Malformed bytes become U+FFFD, as with errors='replace'.
  std::string decode(std::string_view bytes);

 private:
  std::string pending_;  // the incomplete character
};

// print(text): writes UTF-8 text and a newline to stdout, unbuffered. Control characters other than
// tab and newline become U+FFFD, so that a stranger's text cannot control the terminal. Throws
// std::system_error if stdout fails (but a pipe with no reader raises SIGPIPE).
void print(std::string_view text);

// input(prompt): writes the prompt, waits for a line on stdin and returns it without its newline;
// at the end of the input, writes a newline and returns "". Throws std::system_error if stdout or
// stdin fails, or if a signal interrupts the wait; whatever was read of the line is lost.
std::string input(std::string_view prompt);

}  // namespace net
