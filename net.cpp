// A name that begins with :: is a system function, not ours. A static function is visible only in
// this file.
#include "net.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

namespace net {

// Python raises an exception if a call fails; a C function returns -1, which is easily overlooked.
// Other code may change errno, so we read it at once; callers build their message before the call.
static std::size_t check(ssize_t result, std::string_view what) {
  const int error = errno;
  if (result == -1) throw std::system_error(error, std::generic_category(), std::string(what));
  return static_cast<std::size_t>(result);
}

// A signal that has a handler may make a blocked call fail with EINTR. Python then repeats the call
// (PEP 475), and so do we, except in input. call is a lambda, [&] { ... }: an anonymous function.
template <typename Call>
static auto retry_on_eintr(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

// The socket calls take an address of any family as a sockaddr*.
static sockaddr* as_sockaddr(sockaddr_in& addr) { return reinterpret_cast<sockaddr*>(&addr); }

static Address to_address(const sockaddr_in& addr) {
  char host[INET_ADDRSTRLEN] = {};
  return {::inet_ntop(AF_INET, &addr.sin_addr, host, sizeof host), ntohs(addr.sin_port)};
}

// A new descriptor gets the lowest free number. If that were 0, 1 or 2, input would read from the
// peer, or our output, errors included, would go to it.
static void require_standard_streams() {
  check(::fcntl(STDIN_FILENO, F_GETFD), "stdin");  // fails if it is closed
  check(::fcntl(STDOUT_FILENO, F_GETFD), "stdout");
  check(::fcntl(STDERR_FILENO, F_GETFD), "stderr");
}

// Python asks the resolver before it binds or connects. A port is a number and needs no lookup.
static sockaddr_in resolve(const Address& address) {
  require_standard_streams();  // the resolver opens descriptors, too
  const std::string what = "getaddrinfo \"" + address.host + '"';
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(address.host.c_str(), nullptr, &hints, &list);
  if (error == EAI_SYSTEM) check(-1, what);  // the reason is in errno
  if (error != 0) throw std::runtime_error(what + ": " + ::gai_strerror(error));
  sockaddr_in addr{};
  std::memcpy(&addr, list->ai_addr, sizeof addr);  // ai_addr is a sockaddr*, for any family
  ::freeaddrinfo(list);
  addr.sin_port = htons(address.port);  // network byte order: the high byte first
  return addr;
}

std::string to_string(const Address& address) {
  return address.host + ':' + std::to_string(address.port);
}

Socket::Socket(int family, int type) {
  require_standard_streams();
  fd_ = ::socket(family, type, 0);  // 0: the usual protocol
  check(fd_, "socket");
}

void Socket::setsockopt(int level, int name, int value) {
  check(::setsockopt(fd_, level, name, &value, sizeof value), "setsockopt");
}

void Socket::bind(const Address& address) {
  const std::string what = "bind " + to_string(address);
  sockaddr_in addr = resolve(address);
  check(::bind(fd_, as_sockaddr(addr), sizeof addr), what);
}

void Socket::listen(int backlog) { check(::listen(fd_, backlog), "listen"); }

std::pair<Socket, Address> Socket::accept() {
  require_standard_streams();
  sockaddr_in addr{};
  socklen_t size = sizeof addr;
  const int fd = retry_on_eintr([&] { return ::accept(fd_, as_sockaddr(addr), &size); });
  check(fd, "accept");
  Socket sock(fd);
  return {std::move(sock), to_address(addr)};
}

// An interrupted connect continues in the background, and a second one may fail with EALREADY or
// EISCONN. So, like Python, we wait until the socket is writable, then ask whether it connected.
static int finish_connect(int fd) {
  pollfd writable{fd, POLLOUT, 0};  // which descriptor, what to wait for, what has happened
  if (retry_on_eintr([&] { return ::poll(&writable, 1, -1); }) == -1) return -1;  // no time limit
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1) return -1;
  errno = error;  // for check
  return error == 0 ? 0 : -1;
}

void Socket::connect(const Address& address) {
  const std::string what = "connect " + to_string(address);
  sockaddr_in addr = resolve(address);
  int result = ::connect(fd_, as_sockaddr(addr), sizeof addr);
  if (result == -1 && errno == EINTR) result = finish_connect(fd_);
  check(result, what);
}

std::string Socket::recv(std::size_t bufsize) {
  std::string data(bufsize, '\0');
  const ssize_t count = retry_on_eintr([&] { return ::recv(fd_, data.data(), bufsize, 0); });
  data.resize(check(count, "recv"));
  return data;
}

std::size_t Socket::send(std::string_view data) {
  // Once the peer has reset the connection, a send may raise SIGPIPE, which kills the process.
  // Python ignores SIGPIPE in the whole process; a library should not touch signals.
  const auto call = [&] { return ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL); };
  return check(retry_on_eintr(call), "send");
}

void Socket::sendall(std::string_view data) {
  while (!data.empty()) data.remove_prefix(send(data));  // a short send took only the first part
}

Address Socket::getsockname() const {
  sockaddr_in addr{};
  socklen_t size = sizeof addr;
  check(::getsockname(fd_, as_sockaddr(addr), &size), "getsockname");
  return to_address(addr);
}

void Socket::close() noexcept {
  // Never retry, not even after EINTR: the number is free and may already be another file's.
  if (fd_ != -1) ::close(std::exchange(fd_, -1));
}

std::string gethostname() {
  char name[256] = {};  // at most 255 bytes and a NUL: see gethostname(2)
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

// A character: how many bytes it needs (0 if none begins like this), and how many were found.
struct Character {
  std::size_t needed, found;
};

// Follows the UTF-8 decoder of the WHATWG Encoding Standard. A byte past the end counts as 0.
static Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? text[i] & 0xFF : 0; };
  const int first = byte(0);
  if (first < 0x80) return {1, 1};
  if (first < 0xC2 || first > 0xF4) return {0, 1};  // no character begins like this
  std::size_t needed = 2;
  if (first >= 0xE0) needed = 3;
  if (first >= 0xF0) needed = 4;
  int lowest = 0x80, highest = 0xBF;  // the second byte's range, narrowed because
  if (first == 0xE0) lowest = 0xA0;   // E0 80 AF would be another '/' (an overlong form)
  if (first == 0xF0) lowest = 0x90;   // so would F0 80 80 AF
  if (first == 0xED) highest = 0x9F;  // ED A0 80 would be half of a UTF-16 pair (a surrogate)
  if (first == 0xF4) highest = 0x8F;  // F4 90 80 80 would lie above U+10FFFF, the maximum
  if (byte(1) < lowest || byte(1) > highest) return {needed, 1};
  std::size_t found = 2;
  while (found < needed && (byte(found) & 0xC0) == 0x80) ++found;
  return {needed, found};
}

std::string TextDecoder::decode(std::string_view bytes) {
  pending_ += bytes;
  std::string text;
  std::size_t copied = 0, i = 0;  // pending_[copied:i] is well-formed, and not yet in text
  while (i < pending_.size()) {
    const auto [needed, found] = first_character(std::string_view(pending_).substr(i));
    if (found < needed && i + found == pending_.size()) break;  // the rest may still come
    if (found != needed) {
      text.append(pending_, copied, i - copied).append("\uFFFD");
      copied = i + found;
    }
    i += found;
  }
  text.append(pending_, copied, i - copied);
  pending_.erase(0, i);
  return text;
}

// Replaces control characters: C0, DEL and C1 (U+0080 to U+009F: C2 80 to C2 9F in UTF-8).
static std::string printable(std::string_view text) {
  std::string shown;
  std::size_t copied = 0;  // text[copied:i] may be shown, but is not yet in shown
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int byte = text[i] & 0xFF;
    const bool c0 = (byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7F;
    const bool c1 = byte == 0xC2 && i + 1 < text.size() && (text[i + 1] & 0xE0) == 0x80;
    if (!c0 && !c1) continue;
    shown.append(text, copied, i - copied).append("\uFFFD");
    copied = i + (c1 ? 2 : 1);
  }
  return shown.append(text, copied);
}

// As in sendall, one call may write only the first part.
static void write_all(std::string_view text) {
  const auto call = [&] { return ::write(STDOUT_FILENO, text.data(), text.size()); };
  while (!text.empty()) text.remove_prefix(check(retry_on_eintr(call), "stdout"));
}

void print(std::string_view text) { write_all(printable(text) + '\n'); }

std::string input(std::string_view prompt) {
  static char* typed = nullptr;  // getline allocates it and grows it; static keeps it between calls
  static std::size_t size = 0;
  write_all(prompt);
  std::clearerr(stdin);  // a Ctrl-D that ended a line must not end the next one
  const ssize_t length = ::getline(&typed, &size, stdin);
  // Text before an error is not a line. -1 without EOF: out of memory.
  if (std::ferror(stdin) || (length == -1 && !std::feof(stdin))) check(-1, "stdin");
  if (length == -1) {
    write_all("\n");  // the prompt has no newline of its own
    return "";
  }
  std::string line(typed, static_cast<std::size_t>(length));
  if (line.back() == '\n') line.pop_back();
  return line;
}

}  // namespace net
