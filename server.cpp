// The server of the post: one client comes, then both take turns, a line each; the client begins.
#include <cerrno>
#include <iostream>

#include "net.hpp"

const std::string USAGE = "usage: server [HOST [PORT]]";
constexpr std::size_t BUFSIZE = 1024;  // the post's BUFSIZ; that name is taken, by C's <stdio.h>

// Errors, and what the post's script doesn't print, go to stderr.
void say(const std::string& line) { std::cerr << "server: " + line + '\n'; }

// Python's print(text, end='', flush=True).
void print_now(const std::string& text) {
  std::cout << text;
  if (!std::cout.flush()) throw std::system_error(errno, std::generic_category(), "stdout");
}

// Python's input(): shows the prompt, returns the line typed, without its newline. The end of the
// input is an empty line here, not an error.
std::string input(const std::string& prompt) {
  print_now(prompt);
  std::string line;
  std::getline(std::cin, line);
  if (std::cin.bad()) throw std::system_error(errno, std::generic_category(), "stdin");
  return line;
}

void socket_service_data(const net::Address& ADDR) {
  // connect 连接
  net::Socket s(AF_INET, SOCK_STREAM);
  s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
  s.bind(ADDR);
  s.listen(10);
  const net::Address here = s.getsockname();
  say("listening on " + net::to_string(here));
  if (here.host.substr(0, 4) == "127.")
    say("only this machine can connect; ./server 0.0.0.0 listens on every address");
  print_now("Wait for Connection..................\n");
  auto [sock, addr] = s.accept();
  say(net::to_string(addr) + " connected");

  net::TextDecoder decoder;
  while (true) {
    // receive 收
    std::string buf = sock.recv(BUFSIZE);
    const std::string buf1 = decoder.decode(buf);
    if (buf.empty()) {
      say("the client closed the connection");
      break;
    }
    std::cout << "Received message: " << net::printable(buf1) << '\n';
    // send 发
    buf = input("input data:");
    if (buf.empty()) break;
    sock.sendall(buf);
  }
  // close 关闭
  sock.close();
}

std::string own_host() {
  try {
    return net::gethostbyname(net::gethostname());
  } catch (const std::exception& error) {
    throw std::runtime_error(std::string(error.what()) + "; try ./server 0.0.0.0");
  }
}

int main(int argc, char* argv[]) {
  // Without this, a terminal gets two writes a turn, and a stdin that cannot be read looks like
  // its end.
  std::ios::sync_with_stdio(false);
  try {
    const std::string first = argc > 1 ? argv[1] : "";
    if (first == "-h" || first == "--help") {
      print_now(USAGE + '\n');
      return 0;
    }
    if (first.substr(0, 1) == "-") throw std::invalid_argument("unknown option \"" + first + '"');
    if (argc > 3) throw std::invalid_argument("too many arguments");
    // initialise 初始化
    const std::string HOST = argc > 1 ? first : own_host();
    const std::uint16_t PORT = net::parse_port(argc > 2 ? argv[2] : "7000");
    const net::Address ADDR{HOST, PORT};

    socket_service_data(ADDR);
  } catch (const std::invalid_argument& error) {
    say(error.what());
    say(USAGE);
    return 2;
  } catch (const std::exception& error) {
    say(error.what());
    return 1;
  }
}
