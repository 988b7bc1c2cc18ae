// A name that begins with :: is the system's call, not ours.
#include "net.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace net {
namespace {

constexpr std::string_view REPLACEMENT = "\uFFFD";

// Python raises OSError where a call fails; C just returns -1, which is easily overlooked. Whatever
// runs in between may change errno: so it is read first here, and the callers put their text
// together before.
std::size_t check(ssize_t result, std::string_view call) {
  const int error = errno;
  if (result == -1) throw std::system_error(error, std::generic_category(), std::string(call));
  return static_cast<std::size_t>(result);
}

// A signal that arrives while a call waits ends it with EINTR and nothing done. Python then calls
// again (PEP 475), and so do we. call is a lambda, [&] { … }, that uses the variables around it.
template <typename Call>
auto retry(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

// The calls take every family's address as a sockaddr*.
sockaddr* as_sockaddr(sockaddr_in& addr) { return reinterpret_cast<sockaddr*>(&addr); }

Address to_address(const sockaddr_in& addr) {
  char host[INET_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET, &addr.sin_addr, host, sizeof host);
  return {host, ntohs(addr.sin_port)};
}

// Asks the resolver, as Python does before it binds or connects. The port is not for it to read:
// glibc's takes "72536" for 7000.
sockaddr_in resolve(const Address& address) {
  const std::string call = "getaddrinfo \"" + address.host + '"';
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(address.host.c_str(), nullptr, &hints, &list);
  if (error == EAI_SYSTEM) throw std::system_error(errno, std::generic_category(), call);
  if (error != 0) throw std::runtime_error(call + ": " + ::gai_strerror(error));
  sockaddr_in addr;
  std::memcpy(&addr, list->ai_addr, sizeof addr);  // ai_addr need not be aligned for a sockaddr_in
  ::freeaddrinfo(list);
  addr.sin_port = htons(address.port);  // the net's byte order: the high byte first
  return addr;
}

// An interrupted connect goes on by itself, and a second one may fail with EALREADY or EISCONN. So,
// as Python does: wait until the socket is writable, then ask how it went.
int finish_connect(int fd) {
  pollfd writable{fd, POLLOUT, 0};
  if (retry([&] { return ::poll(&writable, 1, -1); }) == -1) return -1;
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1) return -1;
  errno = error;
  return error == 0 ? 0 : -1;
}

}  // namespace

std::string to_string(const Address& address) {
  return address.host + ':' + std::to_string(address.port);
}

Socket::Socket(int fd) noexcept : fd_(fd) {
  if (fd == -1 || fd > STDERR_FILENO) return;
  // The system gives the lowest free number. Where the program was started with stdin, stdout or
  // stderr closed, that is 0, 1 or 2, and what is read or printed there would be the peer's. So:
  // a copy with a higher number, and the low one back.
  const int higher = ::fcntl(fd, F_DUPFD, STDERR_FILENO + 1);
  close();
  fd_ = higher;
}

Socket::Socket(int family, int type) : Socket(::socket(family, type, 0)) { check(fd_, "socket"); }

Socket& Socket::operator=(Socket&& other) noexcept {
  const int taken = std::exchange(other.fd_, -1);  // before close(): other may be this one
  close();
  fd_ = taken;
  return *this;
}

void Socket::setsockopt(int level, int name, int value) {
  check(::setsockopt(fd_, level, name, &value, sizeof value), "setsockopt");
}

void Socket::bind(const Address& address) {
  const std::string call = "bind " + to_string(address);
  sockaddr_in addr = resolve(address);
  check(::bind(fd_, as_sockaddr(addr), sizeof addr), call);
}

void Socket::listen(int backlog) { check(::listen(fd_, backlog), "listen"); }

std::pair<Socket, Address> Socket::accept() {
  sockaddr_in addr{};
  socklen_t size = sizeof addr;
  Socket peer(retry([&] { return ::accept(fd_, as_sockaddr(addr), &size); }));
  check(peer.fd_, "accept");
  return {std::move(peer), to_address(addr)};
}

void Socket::connect(const Address& address) {
  const std::string call = "connect " + to_string(address);
  sockaddr_in addr = resolve(address);
  int result = ::connect(fd_, as_sockaddr(addr), sizeof addr);
  if (result == -1 && errno == EINTR) result = finish_connect(fd_);
  check(result, call);
}

std::string Socket::recv(std::size_t bufsize) {
  std::string bytes(bufsize, '\0');
  const ssize_t count = retry([&] { return ::recv(fd_, bytes.data(), bytes.size(), 0); });
  bytes.resize(check(count, "recv"));
  return bytes;
}

std::size_t Socket::send(std::string_view bytes) {
  // Without MSG_NOSIGNAL, sending to a peer that is gone kills the process by SIGPIPE. Python
  // ignores that signal in the whole process; a library should leave signals alone.
  return check(retry([&] { return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }),
               "send");
}

void Socket::sendall(std::string_view bytes) {
  // A short send has taken only the front.
  while (!bytes.empty()) bytes.remove_prefix(send(bytes));
}

Address Socket::getsockname() const {
  sockaddr_in addr{};
  socklen_t size = sizeof addr;
  check(::getsockname(fd_, as_sockaddr(addr), &size), "getsockname");
  return to_address(addr);
}

void Socket::close() noexcept {
  if (fd_ == -1) return;
  const int error = errno;  // a destructor runs while an error is on its way: it must not change it
  // Forgotten first and never tried again: after EINTR too the number is free (on Linux), and may
  // be another's by now.
  ::close(std::exchange(fd_, -1));
  errno = error;
}

std::string gethostname() {
  char name[256] = {};  // 255 bytes at most (gethostname(2)); Linux: 64
  check(::gethostname(name, sizeof name - 1), "gethostname");
  return name;
}

std::string gethostbyname(const std::string& name) { return to_address(resolve({name, 0})).host; }

std::uint16_t parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::invalid_argument("port \"" + std::string(text) + "\": not a number from 0 to 65535");
  return port;
}

// As the UTF-8 decoder of the WHATWG Encoding Standard: the first byte tells how many follow and,
// where it is E0, ED, F0 or F4, narrows what the second may be (no overlong forms, no surrogates,
// nothing above U+10FFFF).
std::string TextDecoder::decode(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (needed_ > 0 && (byte < lower_ || byte > upper_)) {
      text += REPLACEMENT;  // broken off: what there was is malformed, and this byte a new start
      needed_ = 0;
    }
    if (needed_ > 0) {
      pending_ += c;
      lower_ = 0x80;
      upper_ = 0xBF;
      if (--needed_ == 0) text += pending_;
    } else if (byte < 0x80) {
      text += c;
    } else if (byte >= 0xC2 && byte <= 0xF4) {
      pending_ = c;
      needed_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
      lower_ = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80;
      upper_ = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF;
    } else {
      text += REPLACEMENT;
    }
  }
  return text;
}

std::string printable(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool c0 = (byte < 0x20 && c != '\t' && c != '\n') || byte == 0x7F;
    // U+0080 to U+009F: C2 in front, then 80 to 9F.
    const bool c1 = byte >= 0x80 && byte < 0xA0 && !shown.empty() && shown.back() == '\xC2';
    if (c1) shown.pop_back();
    shown += (c0 || c1) ? REPLACEMENT : std::string_view(&c, 1);
  }
  return shown;
}

}  // namespace net
