// What the two scripts take from Python, in C++. Most comments begin with Python's own line.
// Errors are exceptions, as in Python. A failed call throws std::system_error: code() holds the
// errno value, and what() is a text like "connect 99.100.101.102:7000: Connection refused". A host
// that cannot be resolved throws std::runtime_error. Socket calls resume after a signal.
// 出错就抛出异常，和 Python 一样。socket 调用被信号打断，会自动继续。
#pragma once

#include <sys/socket.h>  // AF_INET, SOCK_STREAM, SOL_SOCKET, SO_REUSEADDR

#include <cstddef>    // size_t
#include <cstdint>    // uint16_t
#include <stdexcept>  // runtime_error, invalid_argument
#include <string>
#include <string_view>
#include <system_error>
#include <utility>  // exchange, pair

namespace net {

// ADDR = (HOST, PORT): a host name or a dotted IPv4 address; a port (host byte order).
// 主机名或点分的 IPv4 地址；端口是普通的整数（主机字节序）。
struct Address {
  std::string host;
  std::uint16_t port = 0;
};
// "%s:%d" % ADDR: the address as text. · 地址的文字形式
std::string to_string(const Address& address);

// s = socket.socket(...): owns one descriptor and closes it, in the destructor if not before. A
// Socket can be moved (Socket&&: the new owner takes over the descriptor) but not copied or
// assigned, so each descriptor has exactly one owner and is closed only once.
// 拥有一个描述符，销毁时自动关闭。可以移动（交给新的所有者），不能复制，所以只会关闭一次。
class Socket {
 public:
  // socket.socket(family, type): opens a socket. SOCK_STREAM is TCP; the family must be AF_INET
  // (IPv4). · 打开一个 socket；family 只能是 AF_INET（IPv4）
  Socket(int family, int type);
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Socket() { close(); }

  // s.setsockopt(level, name, value): sets an option whose value is an int. · 设置整数选项
  void setsockopt(int level, int name, int value);
  // s.bind(ADDR): resolves the host and binds the socket to that address; port 0: any free port.
  // 解析主机名，绑定到这个地址。端口写 0，就由系统挑一个。
  void bind(const Address& address);
  // s.listen(backlog): lets peers connect; about `backlog` of them may wait. · 允许客户端排队
  void listen(int backlog);
  // sock, addr = s.accept(): waits for a peer; returns its connection and its address.
  // 等一个客户端，返回和它的连接，以及它的地址。
  std::pair<Socket, Address> accept();
  // s.connect(ADDR): resolves the host and waits until the connection is established.
  // 解析主机名，等到连接建立。
  void connect(const Address& address);

  // s.recv(bufsize): waits for bytes and returns 1 to bufsize of them, or an empty string once the
  // peer has closed and nothing is left to read. bufsize must be at least 1.
  // 等待数据，返回 1 到 bufsize 个字节。对方已经关闭，数据也读完了，就返回空串。
  std::string recv(std::size_t bufsize);
  // s.send(data): sends once and returns how many bytes the system accepted, possibly fewer than
  // given (the compiler warns if you ignore the result). It never raises SIGPIPE: once the peer has
  // reset the connection, it throws, like any other failed call (EPIPE, say, or ECONNRESET).
  // 只发送一次，返回系统收下的字节数，可能比给它的少。对方重置了连接，就抛出异常。
  [[nodiscard]] std::size_t send(std::string_view data);
  // s.sendall(data): sends until the system has accepted every byte, or a send fails.
  // 反复发送，直到系统全部收下。
  void sendall(std::string_view data);

  // s.getsockname(): the socket's own address, with the port that the system chose. · 本端地址
  Address getsockname() const;
  // s.close(): closes the descriptor, if it is still open. Ignores errors. · 关闭
  void close() noexcept;

 private:
  explicit Socket(int fd) noexcept : fd_(fd) {}

  int fd_;  // -1 if none
};

// Throws std::system_error (EBADF) if stdin, stdout or stderr is closed. Call it before you open a
// socket, because the socket could get the closed stream's number. (Python copes with that itself.)
// 三个标准流有一个关着，就抛出异常。打开 socket 之前先调用它。
void require_standard_streams();
// socket.gethostname(): this machine's own name. · 本机的主机名
std::string gethostname();
// socket.gethostbyname(name): the name's first IPv4 address, dotted. · 主机名的第一个地址
std::string gethostbyname(const std::string& name);
// PORT = int(text): digits only, 0 to 65535; anything else throws std::invalid_argument.
// 只能是数字，0 到 65535，否则抛出异常。
std::uint16_t parse_port(std::string_view text);

// buf.decode('utf-8'), for a stream that may be split anywhere: an incomplete character at the end
// of a piece (at most 3 bytes) is kept for the next piece, and dropped if none comes.
// 数据可能在任何地方断开：末尾的半个字符先存着，等下一段数据到了再拼起来。
class TextDecoder {
 public:
  // Returns, as UTF-8, the characters that these bytes complete: possibly none, even if bytes is
  // not empty. Malformed bytes become U+FFFD, as with errors='replace'.
  // 返回已经完整的字符，所以可能是空串。无效的字节换成 U+FFFD。
  std::string decode(std::string_view bytes);

 private:
  std::string pending_;  // the incomplete character · 还不完整的字符
};

// print(text): writes UTF-8 text and a newline to stdout, unbuffered. Control characters other than
// tab and newline become U+FFFD, so that a stranger's text cannot control a UTF-8 terminal. Throws
// std::system_error if stdout fails. (If stdout is a pipe or socket that nobody reads any more,
// SIGPIPE ends the program first, unless the program ignores it.)
// 输出文字和换行。控制字符换成 U+FFFD，免得对方操纵你的终端。管道没人读时，SIGPIPE 先结束程序。
void print(std::string_view text);

// input(prompt): writes the prompt, waits for a line on stdin and returns it without its newline;
// at the end of the input, writes a newline and returns "". Throws std::system_error if stdout or
// stdin fails, or if a signal interrupts the wait; whatever was read of the line is lost.
// 显示提示符，等待一行输入，返回时去掉换行；输入结束（Ctrl-D）则返回空串。
std::string input(std::string_view prompt);

}  // namespace net
