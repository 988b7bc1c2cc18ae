// The post's server: one client connects, then both sides take turns sending a line, client first.
// 博文的服务器：一个客户端连上来，双方轮流发一行文字，客户端先发。
#include <cstdio>

#include "net.hpp"

using net::input, net::print;

constexpr std::size_t BUFSIZE = 1024;  // BUFSIZ is taken by <stdio.h> · BUFSIZ 已被 <stdio.h> 占用

// Messages that are not the script's go to stderr. · 脚本里没有的提示，写到 stderr
static void note(const std::string& text) { std::fprintf(stderr, "server: %s\n", text.c_str()); }

void socket_service_data(const net::Address& ADDR) {
  // connect · 连接
  // (main catches all errors · 错误都由 main 捕获)
  net::Socket s(AF_INET, SOCK_STREAM);
  s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);  // lets the server restart at once · 退出后可立即重启
  s.bind(ADDR);  // one of this machine's addresses, or 0.0.0.0 · 本机的地址，或 0.0.0.0
  s.listen(10);
  const net::Address here = s.getsockname();
  note("listening on " + net::to_string(here));
  if (here.host.substr(0, 4) == "127.")
    note("only this machine can connect; ./server 0.0.0.0 lets others in");
  print("Wait for Connection..................");
  auto [sock, addr] = s.accept();
  note(net::to_string(addr) + " connected");

  net::TextDecoder decoder;  // may keep half a character · 可能存着半个汉字
  while (true) {
    // receive · 收
    std::string buf = sock.recv(BUFSIZE);
    const std::string buf1 = decoder.decode(buf);
    if (buf.empty()) {  // half a character leaves buf1 empty, too · 半个汉字时 buf1 也空
      note("the client closed the connection");
      break;
    }
    print("Received message: " + buf1);
    // send · 发
    buf = input("input data:");
    if (buf.empty()) break;
    sock.sendall(buf);  // a std::string holds bytes: nothing to encode · 本来就是字节，不用编码
  }
  // close · 关闭
  sock.close();
}  // s closes itself here; after an error, so does sock (RAII) · s 在此自动关闭；出错时 sock 也是

int main(int argc, char* argv[]) {
  if (argc > 3 || (argc > 1 && argv[1][0] == '-')) {
    std::fputs("usage: server [HOST [PORT]]\n", stderr);
    return 2;
  }
  try {
    net::require_standard_streams();  // or a socket could get their numbers · 免得 socket 占用
    // initialise · 初始化
    const std::string name = net::gethostname();
    // if not given, what this machine's name resolves to · 没有参数时用本机主机名对应的 IP
    const std::string HOST = argc > 1 ? argv[1] : net::gethostbyname(name);
    const std::uint16_t PORT = net::parse_port(argc > 2 ? argv[2] : "7000");
    const net::Address ADDR{HOST, PORT};

    socket_service_data(ADDR);
  } catch (const std::exception& error) {
    note(error.what());
    return 1;
  }
}
