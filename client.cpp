// The post's client, for the board: the two sides take turns sending a line, the client first.
#include <cstdio>

#include "net.hpp"

using net::input, net::print;

constexpr std::size_t BUFSIZE = 1024;  // the post's BUFSIZ, a name that <stdio.h> already defines

void sock_client_data(const net::Address& ADDR) {
  // connect 连接
  // (the try in main also covers the conversation 由 main 里的 try 统一处理)
  net::Socket s(AF_INET, SOCK_STREAM);
  s.connect(ADDR);

  net::TextDecoder decoder;  // keeps half a character 保存半个汉字
  while (true) {
    // send 发
    std::string data = input("input data:");
    if (data.empty()) break;
    s.sendall(data);  // a std::string holds bytes, already encoded 已是编码后的字节
    // receive 收
    data = s.recv(BUFSIZE);
    if (data.empty()) {
      std::fputs("client: the server closed the connection\n", stderr);
      break;
    }
    print(decoder.decode(data));
  }
  // close 关闭
  s.close();
}  // after an exception, s closes itself here (RAII) 出异常时 s 在此自动关闭

int main(int argc, char* argv[]) {
  if (argc < 2 || argc > 3 || argv[1][0] == '-') {
    std::fputs("usage: client HOST [PORT]\n", stderr);
    return 2;
  }
  try {
    // initialise 初始化
    const std::string HOST = argv[1];  // the server's public IP 服务器的公网 IP
    const std::uint16_t PORT = net::parse_port(argc > 2 ? argv[2] : "7000");
    const net::Address ADDR{HOST, PORT};

    sock_client_data(ADDR);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "client: %s\n", error.what());
    return 1;
  }
}
