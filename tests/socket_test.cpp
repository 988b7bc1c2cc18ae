// net::Socket and the functions around it, on real sockets over loopback.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <type_traits>

#include "support.hpp"

static_assert(!std::is_copy_constructible_v<net::Socket>);
static_assert(!std::is_copy_assignable_v<net::Socket>);
static_assert(!std::is_move_assignable_v<net::Socket>);
static_assert(std::is_nothrow_move_constructible_v<net::Socket>);

namespace {

TEST(Socket, CarriesEveryByteBothWays) {
  auto [client, server] = connection();
  std::string bytes;
  for (int value = 0; value < 256; ++value) bytes += static_cast<char>(value);
  client.sendall(bytes);
  EXPECT_EQ(server.recv(1024), bytes);
  server.sendall("answer");
  EXPECT_EQ(client.recv(1024), "answer");
}

TEST(Socket, RecvReturnsAtMostBufsizeBytesAndNoneIfThePeerHasClosed) {
  auto [client, server] = connection();
  client.sendall("0123456789");
  client.close();
  EXPECT_EQ(server.recv(8), "01234567");
  EXPECT_EQ(server.recv(8), "89");
  EXPECT_EQ(server.recv(4), "");
}

// The resolver resolves 127.1 without a hosts file or DNS.
TEST(Socket, BindsAndConnectsToTheHostAndPortThatItIsGiven) {
  net::Socket listening = tcp_socket(), client = tcp_socket();
  const int number = next_descriptor();
  net::Socket other = tcp_socket();
  listening.bind({"127.1", 0});
  listening.listen(1);
  const net::Address address = listening.getsockname();
  EXPECT_EQ(address.host, "127.0.0.1");
  EXPECT_NE(address.port, 0) << "port 0 means any free port";
  client.connect({"127.1", address.port});
  EXPECT_EQ(net::to_string(listening.accept().second), net::to_string(client.getsockname()));
  other.bind({"127.1.2.3", address.port});
  EXPECT_EQ(net::to_string(other.getsockname()), "127.1.2.3:" + std::to_string(address.port));
  sockaddr_in raw{};
  socklen_t size = sizeof raw;
  EXPECT_EQ(::getsockname(number, reinterpret_cast<sockaddr*>(&raw), &size), 0);
  EXPECT_EQ(ntohs(raw.sin_port), address.port) << "not in network byte order";
}

TEST(Socket, SetsTheOptionOfThisLevelToThisValue) {
  const int number = next_descriptor();
  net::Socket s = tcp_socket();
  s.setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, 5);
  int value = 0;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(number, IPPROTO_TCP, TCP_KEEPIDLE, &value, &size), 0);
  EXPECT_EQ(value, 5);
}

TEST(Socket, MovingHandsOverTheDescriptor) {
  auto [client, server] = connection();
  const int open = open_descriptors();
  net::Socket moved(std::move(client));
  EXPECT_EQ(open_descriptors(), open);
  moved.sendall("by the new owner");
  EXPECT_EQ(server.recv(1024), "by the new owner");
  expect_error([&s = client] { s.listen(1); }, EBADF, "listen");
}

TEST(Socket, SaysWhichCallFailedWithWhichAddressAndLeavesNoDescriptorBehind) {
  const net::Socket silent = bound_socket();
  const net::Address taken = silent.getsockname();
  const std::string there = net::to_string(taken);
  const int open = open_descriptors();
  expect_error([] { net::Socket(AF_INET, -1); }, EINVAL, "socket");
  expect_error([] { tcp_socket().setsockopt(SOL_SOCKET, -1, 1); }, ENOPROTOOPT, "setsockopt");
  expect_error([&] { tcp_socket().bind(taken); }, EADDRINUSE, "bind " + there);
  expect_error([] { tcp_socket().bind({"192.0.2.1", 1}); }, EADDRNOTAVAIL, "bind 192.0.2.1:1");
  expect_error([&] { tcp_socket().connect(taken); }, ECONNREFUSED, "connect " + there);
  expect_error([] { tcp_socket().accept(); }, EINVAL, "accept");
  expect_error([] { tcp_socket().recv(1); }, ENOTCONN, "recv");
  expect_error([] { (void)tcp_socket().send("x"); }, EPIPE, "send");
  expect_error([] { tcp_socket().sendall("x"); }, EPIPE, "send");
  EXPECT_THROW(tcp_socket().connect({"a b", 7000}), std::runtime_error);
  EXPECT_EQ(open_descriptors(), open);
  net::Socket closed = tcp_socket();
  closed.close();
  expect_error([&] { closed.listen(1); }, EBADF, "listen");
  expect_error([&] { closed.getsockname(); }, EBADF, "getsockname");
}

TEST(Gethostname, ReturnsThisMachinesNameAndGethostbynameADottedAddress) {
  char name[256] = {};
  ASSERT_EQ(::gethostname(name, sizeof name), 0);
  EXPECT_EQ(net::gethostname(), name);
  EXPECT_EQ(net::gethostbyname("0x7f.255.255.254"), "127.255.255.254");
}

TEST(ParsePort, TakesDigitsFromZeroTo65535AndNothingElse) {
  EXPECT_EQ(net::parse_port("0"), 0);
  EXPECT_EQ(net::parse_port("07000"), 7000);
  EXPECT_EQ(net::parse_port("65535"), 65535);
  EXPECT_EQ(net::parse_port(std::string_view("70001").substr(0, 4)), 7000);
  for (const std::string text : {"", "65536", "4294974296", "-1", "+7000", " 7000", "7000 "}) {
    try {
      ADD_FAILURE() << text << " is " << net::parse_port(text);
    } catch (const std::invalid_argument& error) {
      EXPECT_EQ(error.what(), "port \"" + text + "\": not a number from 0 to 65535");
    }
  }
}

}  // namespace
