// The client of the post, on the board: both take turns, a line each; the client begins.
#include <cerrno>
#include <iostream>

#include "net.hpp"

const std::string USAGE = "usage: client HOST [PORT]";
constexpr std::size_t BUFSIZE = 1024;  // the post's BUFSIZ; that name is taken, by C's <stdio.h>

// Errors, and what the post's script doesn't print, go to stderr.
void say(const std::string& line) { std::cerr << "client: " + line + '\n'; }

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

void sock_client_data(const net::Address& ADDR) {
  // connect 连接
  net::Socket s(AF_INET, SOCK_STREAM);
  s.connect(ADDR);

  net::TextDecoder decoder;
  while (true) {
    // send 发
    std::string data = input("input data:");
    if (data.empty()) break;
    s.sendall(data);
    // receive 收
    data = s.recv(BUFSIZE);
    if (data.empty()) {
      say("the server closed the connection");
      break;
    }
    std::cout << net::printable(decoder.decode(data)) << '\n';
  }
  // close 关闭
  s.close();
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
    if (argc < 2 || argc > 3) throw std::invalid_argument("one or two arguments are needed");
    // initialise 初始化
    const std::string HOST = first;
    const std::uint16_t PORT = net::parse_port(argc > 2 ? argv[2] : "7000");
    if (PORT == 0) throw std::invalid_argument("port 0: no server listens there");
    const net::Address ADDR{HOST, PORT};

    sock_client_data(ADDR);
  } catch (const std::invalid_argument& error) {
    say(error.what());
    say(USAGE);
    return 2;
  } catch (const std::exception& error) {
    say(error.what());
    return 1;
  }
}
