// A name that begins with :: is a system function, not ours. A static function is visible only in
// this file.
// :: 开头的是系统函数，不是我们的。static 函数只在本文件内可见。
#include "net.hpp"

#include <arpa/inet.h>   // htons, ntohs, inet_ntop
#include <fcntl.h>       // fcntl
#include <netdb.h>       // getaddrinfo
#include <netinet/in.h>  // sockaddr_in
#include <poll.h>        // poll
#include <unistd.h>      // close, write, gethostname

#include <cerrno>    // errno
#include <charconv>  // from_chars
#include <cstdio>    // getchar
#include <cstring>   // memcpy

namespace net {

// Python raises an exception if a call fails. A C function returns -1, which is easily overlooked,
// and leaves the reason in errno. Almost any other code may change errno, so we read it first of
// all. (For the same reason, the callers have the text for `what` ready before the call.)
// 调用失败，Python 抛出异常；C 函数只返回 -1，原因在 errno 里。别的代码可能改掉它，所以马上读出来。
static std::size_t check(ssize_t result, std::string_view what) {
  const int error = errno;
  if (result == -1) throw std::system_error(error, std::generic_category(), std::string(what));
  return static_cast<std::size_t>(result);
}

// If a signal with a handler comes while a call waits, the call may fail with EINTR. Python then
// calls again (PEP 475), and so do we, except in connect, close and input. `call` is a lambda,
// [&] { ... }: a function without a name.
// 正在等待时来了信号，调用可能失败，errno 是 EINTR。和 Python 一样，再调用一次，除了上面三处。
template <typename Call>
static auto retry_on_eintr(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

// The socket calls take an address of any family as a sockaddr*. · 各种地址都当作 sockaddr* 传入
static sockaddr* as_sockaddr(sockaddr_in& addr) { return reinterpret_cast<sockaddr*>(&addr); }

static Address to_address(const sockaddr_in& addr) {
  char host[INET_ADDRSTRLEN] = {};
  return {::inet_ntop(AF_INET, &addr.sin_addr, host, sizeof host), ntohs(addr.sin_port)};
}

// Python asks the resolver before it binds or connects. · Python 先解析主机名，再绑定或连接
static sockaddr_in resolve(const Address& address) {
  const std::string what = "getaddrinfo \"" + address.host + '"';
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  // The first nullptr stands for a service like "http": our port is a number and needs no lookup.
  // 第一个 nullptr 是服务名的位置：端口已经是数字，不用查。
  const int error = ::getaddrinfo(address.host.c_str(), nullptr, &hints, &list);
  if (error == EAI_SYSTEM) check(-1, what);  // only then is the reason in errno · 这时才看 errno
  if (error != 0) throw std::runtime_error(what + ": " + ::gai_strerror(error));
  sockaddr_in addr{};
  std::memcpy(&addr, list->ai_addr, sizeof addr);  // ai_addr: a sockaddr* · 类型不同，按字节复制
  ::freeaddrinfo(list);
  addr.sin_port = htons(address.port);  // network byte order: high byte first · 高位字节在前
  return addr;
}

std::string to_string(const Address& address) {
  return address.host + ':' + std::to_string(address.port);
}

Socket::Socket(int family, int type) : fd_(::socket(family, type, 0)) { check(fd_, "socket"); }

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
  Socket sock(fd);  // from here on, sock closes it · 从这里起，由 sock 负责关闭
  return {std::move(sock), to_address(addr)};
}

// A signal interrupts only our waiting: the kernel goes on connecting, and a second connect may
// fail (EALREADY, EISCONN). So, like Python, we wait until the socket is writable, and then ask
// whether it has connected.
// 信号只打断了等待，内核还在继续连接；再调用 connect 可能出错。所以等到 socket 可写，再问结果。
static void finish_connect(int fd, const std::string& what) {
  // which descriptor, what to wait for, what has happened · 哪个描述符，等什么，发生了什么
  pollfd writable{fd, POLLOUT, 0};
  check(retry_on_eintr([&] { return ::poll(&writable, 1, -1); }), what);  // -1: no time limit
  int error = 0;
  socklen_t size = sizeof error;
  check(::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), what);
  if (error != 0) throw std::system_error(error, std::generic_category(), what);
}

void Socket::connect(const Address& address) {
  const std::string what = "connect " + to_string(address);
  sockaddr_in addr = resolve(address);
  const int result = ::connect(fd_, as_sockaddr(addr), sizeof addr);
  if (result == -1 && errno == EINTR)
    finish_connect(fd_, what);
  else
    check(result, what);
}

std::string Socket::recv(std::size_t bufsize) {
  std::string data(bufsize, '\0');  // room for the system to write into · 给系统写入的地方
  const ssize_t count = retry_on_eintr([&] { return ::recv(fd_, data.data(), bufsize, 0); });
  data.resize(check(count, "recv"));
  return data;
}

std::size_t Socket::send(std::string_view data) {
  // After a reset by the peer, send may raise the signal SIGPIPE, which kills the process. Python
  // ignores SIGPIPE in the whole process. A library should not, so each send asks for an error.
  // 对方重置连接后再发，可能引发 SIGPIPE，杀死进程。这里不要信号，只要错误码。
  const auto call = [&] { return ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL); };
  return check(retry_on_eintr(call), "send");
}

void Socket::sendall(std::string_view data) {
  // send may take only the first part. · 可能只收下了前面一部分，再发剩下的
  while (!data.empty()) data.remove_prefix(send(data));
}

Address Socket::getsockname() const {
  sockaddr_in addr{};
  socklen_t size = sizeof addr;
  check(::getsockname(fd_, as_sockaddr(addr), &size), "getsockname");
  return to_address(addr);
}

void Socket::close() noexcept {
  // Call it only once, even if it fails: the number may be free by then, and may already belong to
  // another file. So fd_ is set to -1 first.
  // 只调用一次，失败也不再试：这个编号可能已经是别的文件的了。
  if (fd_ != -1) ::close(std::exchange(fd_, -1));
}

// A new socket gets the lowest free number. If stdin is closed, that number is 0, and input would
// read from the peer; if stdout is (1), print would write to the peer.
// 新 socket 用最小的空闲编号。stdin（0）如果关着，socket 就成了 0，input 会去读对方的数据。
void require_standard_streams() {
  check(::fcntl(STDIN_FILENO, F_GETFD), "stdin");  // asks for flags, fails if closed · 关着就失败
  check(::fcntl(STDOUT_FILENO, F_GETFD), "stdout");
  check(::fcntl(STDERR_FILENO, F_GETFD), "stderr");
}

std::string gethostname() {
  char name[256] = {};  // up to 255 bytes and a NUL, which the system may omit · 末尾留一个 NUL
  check(::gethostname(name, sizeof name - 1), "gethostname");
  return name;
}

std::string gethostbyname(const std::string& name) { return to_address(resolve({name, 0})).host; }

std::uint16_t parse_port(std::string_view text) {
  std::uint16_t port = 0;
  // end: where the digits end; errc(): no error. · end 是数字结束的位置，errc() 表示没有错误
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::invalid_argument("port \"" + std::string(text) + "\": not a number from 0 to 65535");
  return port;
}

// A character: how many bytes it needs (0 if none begins like this), and how many were found.
// 一个字符：需要几个字节（0：没有字符这样开头），实际找到几个。
struct Character {
  std::size_t needed, found;
};

// Follows the UTF-8 decoder of the WHATWG Encoding Standard. A byte past the end counts as 0.
// 按 WHATWG 编码标准识别第一个字符。超出末尾的字节算 0。
static Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? text[i] & 0xFF : 0; };
  const int first = byte(0);
  if (first < 0x80) return {1, 1};                  // ASCII
  if (first < 0xC2 || first > 0xF4) return {0, 1};  // no character begins like this · 无效的首字节
  std::size_t needed = 2;
  if (first >= 0xE0) needed = 3;
  if (first >= 0xF0) needed = 4;
  // The second byte's range. Four values of the first byte narrow it, to exclude what follows here.
  // 第二个字节的范围。首字节是这四种时范围更窄，要排除的见右边：
  int lowest = 0x80, highest = 0xBF;
  if (first == 0xE0) lowest = 0xA0;   // E0 80 AF: another '/' (an overlong form · 过长编码)
  if (first == 0xF0) lowest = 0x90;   // F0 80 80 AF: yet another one · 也是过长编码
  if (first == 0xED) highest = 0x9F;  // ED A0 80: half of a UTF-16 pair (a surrogate · 代理项)
  if (first == 0xF4) highest = 0x8F;  // F4 90 80 80: above U+10FFFF, the maximum · 超出最大值
  if (byte(1) < lowest || byte(1) > highest) return {needed, 1};
  std::size_t found = 2;
  while (found < needed && (byte(found) & 0xC0) == 0x80) ++found;  // 10xxxxxx: it continues
  return {needed, found};
}

std::string TextDecoder::decode(std::string_view bytes) {
  pending_ += bytes;
  std::string text;
  // pending_[copied:i] is well-formed, and not yet in text. · 有效，但还没放进 text 的部分
  std::size_t copied = 0, i = 0;
  while (i < pending_.size()) {
    const auto [needed, found] = first_character(std::string_view(pending_).substr(i));
    if (found < needed && i + found == pending_.size()) break;  // the rest may come · 等后面的字节
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

// Replaces what a terminal may obey instead of showing it: the control characters from U+0000 to
// U+001F and U+007F (c0), and from U+0080 to U+009F (c1), which UTF-8 writes as C2 80 to C2 9F.
// 替换终端会当作命令的控制字符。U+0080 到 U+009F 在 UTF-8 里是 C2 80 到 C2 9F。
static std::string printable(std::string_view text) {
  std::string shown;
  std::size_t copied = 0;  // text[copied:i] may be shown, but is not yet in shown
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int byte = text[i] & 0xFF;
    const bool c0 = (byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7F;
    // & 0xE0 keeps the first three bits: 100 in 80 to 9F. · 前三位是 100，就在 80 到 9F 之间
    const bool c1 = byte == 0xC2 && i + 1 < text.size() && (text[i + 1] & 0xE0) == 0x80;
    if (!c0 && !c1) continue;
    shown.append(text, copied, i - copied).append("\uFFFD");
    copied = i + (c1 ? 2 : 1);
  }
  return shown.append(text, copied);
}

// As in sendall, one call may write only the first part. · 和 sendall 一样，可能只写出一部分
static void write_all(std::string_view text) {
  const auto call = [&] { return ::write(STDOUT_FILENO, text.data(), text.size()); };
  while (!text.empty()) text.remove_prefix(check(retry_on_eintr(call), "stdout"));
}

void print(std::string_view text) { write_all(printable(text) + '\n'); }

std::string input(std::string_view prompt) {
  write_all(prompt);
  // If you type some text and then Ctrl-D twice, the line ends, and stdin remembers the end of the
  // input. Without clearerr, the next call would return immediately.
  // 输入几个字再按两次 Ctrl-D，这一行就结束，但 stdin 会记住“已结束”；不清除，下次输入就立即返回。
  std::clearerr(stdin);
  std::string line;
  int byte = std::getchar();  // an int, because EOF is not a byte · EOF 不是字节，所以用 int
  for (; byte != EOF && byte != '\n'; byte = std::getchar()) line += static_cast<char>(byte);
  if (std::ferror(stdin)) check(-1, "stdin");  // half a line is not a line · 半行不算一行
  if (byte == EOF && line.empty()) write_all("\n");  // the prompt has no newline · 提示符没有换行
  return line;
}

}  // namespace net
