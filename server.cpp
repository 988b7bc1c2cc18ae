// The post's server: one client connects, then both sides take turns sending a line, client first.
#include <cstdio>

#include "net.hpp"

using net::input, net::print;

constexpr std::size_t BUFSIZE = 1024;  // the post's BUFSIZ, a name that <stdio.h> already defines

void socket_service_data(const net::Address& ADDR) {
  // connect 连接
  // (the try in main also covers the conversation 由 main 里的 try 统一处理)
  net::Socket s(AF_INET, SOCK_STREAM);
  s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);  // lets you restart it at once 可以立即重启
  s.bind(ADDR);  // an address that this machine has 必须是本机网卡上的地址
  s.listen(10);
  const net::Address here = s.getsockname();
  std::fprintf(stderr, "server: listening on %s\n", net::to_string(here).c_str());
  if (here.host.substr(0, 4) == "127.")
    std::fputs("server: only this machine can connect; ./server 0.0.0.0 listens on every address\n",
               stderr);
  print("Wait for Connection..................", /*flush=*/true);
  auto [sock, addr] = s.accept();
  std::fprintf(stderr, "server: %s connected\n", net::to_string(addr).c_str());

  net::TextDecoder decoder;  // keeps half a character 保存半个汉字
  while (true) {
    // receive 收
    std::string buf = sock.recv(BUFSIZE);
    const std::string buf1 = decoder.decode(buf);
    if (buf.empty()) {  // not buf1: half a character is not the end 收到半个汉字不等于结束
      std::fputs("server: the client closed the connection\n", stderr);
      break;
    }
    print("Received message: " + buf1);
    // send 发
    buf = input("input data:");
    if (buf.empty()) break;
    sock.sendall(buf);  // a std::string holds bytes, already encoded 已是编码后的字节
  }
  // close 关闭
  sock.close();
}  // s closes itself here (RAII); after an exception both sockets do s 在此自动关闭

int main(int argc, char* argv[]) {
  if (argc > 3 || (argc > 1 && argv[1][0] == '-')) {
    std::fputs("usage: server [HOST [PORT]]\n", stderr);
    return 2;
  }
  try {
    // initialise 初始化
    const std::string name = net::gethostname();
    const std::string HOST = argc > 1 ? argv[1] : net::gethostbyname(name);  // its IP 本机 IP
    const std::uint16_t PORT = net::parse_port(argc > 2 ? argv[2] : "7000");
    const net::Address ADDR{HOST, PORT};

    socket_service_data(ADDR);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "server: %s\n", error.what());
    return 1;
  }
}
