// A name that begins with :: is the system's function, not ours.
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
#include <cstdlib>
#include <cstring>
#include <memory>

namespace net {
namespace {

// Python raises an exception if a call fails; a C function returns -1, which is easily overlooked.
// Other code may change errno, so we read it at once; callers build their message before the call.
std::size_t check(ssize_t result, std::string_view what) {
  const int error = errno;
  if (result == -1) throw std::system_error(error, std::generic_category(), std::string(what));
  return static_cast<std::size_t>(result);
}
static_assert(EOF == -1);  // so check() also takes what putchar and fflush return

// A signal handler installed without SA_RESTART makes a blocked call fail with EINTR. Python then
// retries it (PEP 475), and so do we. call is a lambda, [&] { ... }: a function written in place.
template <typename Call>
auto retry_on_eintr(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

// The socket calls take an address of any family as a sockaddr*.
sockaddr* as_sockaddr(sockaddr_in& addr) { return reinterpret_cast<sockaddr*>(&addr); }

Address to_address(const sockaddr_in& addr) {
  char host[INET_ADDRSTRLEN] = {};
  return {::inet_ntop(AF_INET, &addr.sin_addr, host, sizeof host), ntohs(addr.sin_port)};
}

// Asks the resolver, as Python does before it binds or connects. The port, a number, needs none.
sockaddr_in resolve(const Address& address) {
  const std::string what = "getaddrinfo \"" + address.host + '"';
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(address.host.c_str(), nullptr, &hints, &list);
  if (error == EAI_SYSTEM) check(-1, what);
  if (error != 0) throw std::runtime_error(what + ": " + ::gai_strerror(error));
  sockaddr_in addr;
  std::memcpy(&addr, list->ai_addr, sizeof addr);  // ai_addr may not be aligned for a sockaddr_in
  ::freeaddrinfo(list);
  addr.sin_port = htons(address.port);  // network byte order: the high byte first
  return addr;
}

// An interrupted connect continues in the background, and a second one may fail with EALREADY or
// EISCONN. So, as Python does, we wait until the socket is writable, then ask if it connected.
int finish_connect(int fd) {
  pollfd writable{fd, POLLOUT, 0};
  if (retry_on_eintr([&] { return ::poll(&writable, 1, -1); }) == -1) return -1;
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1) return -1;
  errno = error;
  return error == 0 ? 0 : -1;
}

// Returns how many bytes the first character needs (0 if its first byte is never valid) and how
// many it has. Follows the UTF-8 decoder of the WHATWG Encoding Standard: after E0, ED, F0 and F4,
// fewer second bytes are allowed (no overlong forms, no surrogates, nothing above U+10FFFF).
std::pair<std::size_t, std::size_t> front(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? text[i] & 0xFF : 0; };
  const int first = byte(0);
  if (first < 0x80) return {1, 1};
  if (first < 0xC2 || first > 0xF4) return {0, 1};
  const std::size_t needed = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  const int lower = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const int upper = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < lower || byte(1) > upper) return {needed, 1};
  std::size_t there = 2;
  while (there < needed && (byte(there) & 0xC0) == 0x80) ++there;
  return {needed, there};
}

// The length of the control character at text[i], or 0. U+0080 to U+009F are C2 80 to C2 9F.
std::size_t control(std::string_view text, std::size_t i) {
  const int byte = text[i] & 0xFF;
  if (byte < 0x20 || byte == 0x7F) return byte == '\t' || byte == '\n' ? 0 : 1;
  return byte == 0xC2 && i + 1 < text.size() && (text[i + 1] & 0xE0) == 0x80 ? 2 : 0;
}

void write(std::string_view text) {
  // By default, stdio writes each line to a terminal at once, so a message and the next prompt
  // would be two writes. A static variable is set only once, here before the first output.
  static char buffer[4096];
  [[maybe_unused]] static const int once = std::setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  check(std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : -1, "stdout");
}

}  // namespace

std::string to_string(const Address& address) {
  return address.host + ':' + std::to_string(address.port);
}

Socket::Socket(int family, int type) {
  // A socket gets the lowest free number: if it were one of these, stdio would talk to the peer.
  check(::fcntl(STDIN_FILENO, F_GETFD), "stdin");
  check(::fcntl(STDOUT_FILENO, F_GETFD), "stdout");
  check(::fcntl(STDERR_FILENO, F_GETFD), "stderr");
  fd_ = ::socket(family, type, 0);
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
  sockaddr_in addr{};
  socklen_t size = sizeof addr;
  const int fd = retry_on_eintr([&] { return ::accept(fd_, as_sockaddr(addr), &size); });
  check(fd, "accept");
  return {Socket(fd), to_address(addr)};  // left to right: fd has its owner before a throw
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
  // A peer that has closed answers a send with a reset; one more send would then raise SIGPIPE,
  // which kills the process. Python ignores SIGPIPE everywhere; a library should not touch signals.
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
  if (fd_ == -1) return;
  const int error = errno;  // of an earlier call, which the caller may still want to read
  // Forget the number first and never retry: on Linux it is free even after EINTR, and may already
  // have been reused.
  ::close(std::exchange(fd_, -1));
  errno = error;
}

std::string gethostname() {
  char name[256] = {};  // at most 255 bytes, and a NUL: gethostname(2)
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

std::string TextDecoder::decode(std::string_view bytes) {
  pending_ += bytes;
  std::string text;
  std::size_t done = 0, i = 0;
  while (i < pending_.size()) {
    const auto [needed, there] = front(std::string_view(pending_).substr(i));
    if (there < needed && i + there == pending_.size()) break;  // the rest may still come
    if (there != needed) {
      text.append(pending_, done, i - done).append("\uFFFD");
      done = i + there;
    }
    i += there;
  }
  text.append(pending_, done, i - done);
  pending_.erase(0, i);
  return text;
}

void print(std::string_view text, bool flush) {
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t length = control(text, i);
    if (length == 0) continue;
    write(text.substr(done, i - done));
    write("\uFFFD");
    done = i + length;
  }
  write(text.substr(done));
  check(std::putchar('\n'), "stdout");
  if (flush) check(std::fflush(stdout), "stdout");
}

std::string input(std::string_view prompt) {
  write(prompt);
  check(std::fflush(stdout), "stdout");
  std::clearerr(stdin);  // a Ctrl-D that ended a line must not end the next one
  char* typed = nullptr;
  std::size_t room = 0;
  const ssize_t count = ::getline(&typed, &room, stdin);
  const std::unique_ptr<char, void (*)(void*)> owner(typed, std::free);  // frees it when we return
  const bool newline = count > 0 && typed[count - 1] == '\n';
  check(newline || std::feof(stdin) ? 0 : -1, "stdin");  // an error must not pass for a line's end
  if (count == -1) {
    print("", true);  // the prompt has no newline of its own
    return "";
  }
  return std::string(typed, static_cast<std::size_t>(newline ? count - 1 : count));
}

}  // namespace net
