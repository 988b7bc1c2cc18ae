// The post's client, for the board: both sides take turns sending a line, the client first.
// 博文的客户端，在开发板上运行：双方轮流发一行文字，客户端先发。
#include <cstdio>

#include "net.hpp"

using net::input, net::print;

constexpr std::size_t BUFSIZE = 1024;  // BUFSIZ is taken by <stdio.h> · BUFSIZ 已被 <stdio.h> 占用

// Messages that are not the script's go to stderr. · 脚本里没有的提示，写到 stderr
static void note(const std::string& text) { std::fprintf(stderr, "client: %s\n", text.c_str()); }

void sock_client_data(const net::Address& ADDR) {
  // connect · 连接
  // (main catches all errors · 错误都由 main 捕获)
  net::Socket s(AF_INET, SOCK_STREAM);
  s.connect(ADDR);

  net::TextDecoder decoder;  // may keep half a character · 可能存着半个汉字
  while (true) {
    // send · 发
    std::string data = input("input data:");
    if (data.empty()) break;
    s.sendall(data);  // a std::string holds bytes: nothing to encode · 本来就是字节，不用编码
    // receive · 收
    data = s.recv(BUFSIZE);
    if (data.empty()) {
      note("the server closed the connection");
      break;
    }
    print(decoder.decode(data));
  }
  // close · 关闭
  s.close();
}  // after an error, s closes itself here (RAII) · 出错时 s 在此自动关闭

int main(int argc, char* argv[]) {
  if (argc < 2 || argc > 3 || argv[1][0] == '-') {
    std::fputs("usage: client HOST [PORT]\n", stderr);
    return 2;
  }
  try {
    net::require_standard_streams();  // or a socket could get their numbers · 免得 socket 占用
    // initialise · 初始化
    const std::string HOST = argv[1];  // the server's public IP · 服务器的公网 IP
    const std::uint16_t PORT = net::parse_port(argc > 2 ? argv[2] : "7000");
    const net::Address ADDR{HOST, PORT};

    sock_client_data(ADDR);
  } catch (const std::exception& error) {
    note(error.what());
    return 1;
  }
}
