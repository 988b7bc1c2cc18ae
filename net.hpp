// The socket calls of Python's socket module, as C++: a thin owner over the POSIX calls.
//
// A call that fails throws std::system_error: code() is errno's value, what() says which call and
// to whom ("connect 99.100.101.102:7000: Connection refused"). A call that a signal interrupts is
// not a failure: it goes on.
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

// Where a socket is: Python's (host, port). host: an IPv4 name or dotted address, resolved by bind
// and connect, which throw what gethostbyname throws; port: in host byte order.
struct Address {
  std::string host;
  std::uint16_t port = 0;
};

// "host:port".
std::string to_string(const Address& address);

// Owns one descriptor, and closes it at the latest in its destructor. It moves (Socket&&: the new
// owner takes the descriptor over) but never copies, so that one owner closes. A moved-from or
// closed Socket owns none: only assigning to it, closing or destroying it makes sense.
class Socket {
 public:
  // socket.socket(family, type), socket(2): a new socket, such as (AF_INET, SOCK_STREAM) for TCP.
  Socket(int family, int type);
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  // Closes what this one owned, at once, and takes over what the other owns.
  Socket& operator=(Socket&& other) noexcept;
  ~Socket() { close(); }

  // s.setsockopt(level, name, value), setsockopt(2): sets an option whose value is an int.
  void setsockopt(int level, int name, int value);

  // s.bind(address), bind(2): makes the address this socket's own; port 0 takes any free one.
  void bind(const Address& address);

  // s.listen(backlog), listen(2): lets peers connect; about so many may wait to be accepted.
  void listen(int backlog);

  // s.accept(), accept(2): waits for a peer; its connection, a Socket of its own, and its address.
  std::pair<Socket, Address> accept();

  // s.connect(address), connect(2): waits until the connection stands.
  void connect(const Address& address);

  // s.recv(bufsize), recv(2): waits for bytes, returns 1 to bufsize of them, as they come. Empty:
  // the peer has closed, and no more will come. bufsize: at least 1.
  std::string recv(std::size_t bufsize);

  // s.send(bytes), send(2): one call; returns how many bytes the system took, maybe not all (the
  // compiler warns where that is ignored). A peer that is gone is an error (EPIPE, ECONNRESET),
  // never a SIGPIPE.
  [[nodiscard]] std::size_t send(std::string_view bytes);

  // s.sendall(bytes): sends until the system has taken every byte. How many it took before an error
  // is not known.
  void sendall(std::string_view bytes);

  // s.getsockname(), getsockname(2): this socket's own address, the port that the system chose too.
  Address getsockname() const;

  // s.close(), close(2): gives the descriptor back, once; reports no error, keeps errno.
  void close() noexcept;

 private:
  explicit Socket(int fd) noexcept;

  int fd_;  // -1: none
};

// socket.gethostname(), gethostname(2): this machine's own name.
std::string gethostname();

// socket.gethostbyname(name), getaddrinfo(3): the name's first IPv4 address, dotted. Throws
// std::runtime_error with the name and the resolver's words where there is none.
std::string gethostbyname(const std::string& name);

// int(text), for a port: digits alone, 0 to 65535. Anything else throws
// std::invalid_argument, with the text quoted.
std::uint16_t parse_port(std::string_view text);

// bytes.decode('utf-8'), for a stream that is cut anywhere: a character that a piece leaves
// unfinished (3 bytes at most) is kept for the next piece. Never fails: malformed bytes become
// U+FFFD, as with errors='replace'.
class TextDecoder {
 public:
  // The whole characters that these bytes complete, as UTF-8; may be empty though bytes is not.
  std::string decode(std::string_view bytes);

 private:
  std::string pending_;                        // the unfinished character's bytes so far
  int needed_ = 0;                             // how many more it needs
  unsigned char lower_ = 0x80, upper_ = 0xBF;  // what the next one may be
};

// A stranger's text (UTF-8), safe to print: control characters but tab and newline become U+FFFD,
// so that none can drive the terminal.
std::string printable(std::string_view text);

}  // namespace net
