// net::Socket and the functions around it, on real sockets over loopback.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <type_traits>

#include "support.hpp"

static_assert(!std::is_copy_constructible_v<net::Socket>);
static_assert(!std::is_copy_assignable_v<net::Socket>);
static_assert(std::is_nothrow_move_constructible_v<net::Socket>);
static_assert(std::is_nothrow_move_assignable_v<net::Socket>);
static_assert(noexcept(std::declval<net::Socket>().close()));

namespace {

net::Socket tcp_socket() { return net::Socket(AF_INET, SOCK_STREAM); }

TEST(Address, IsWrittenHostColonPort) {
  EXPECT_EQ(net::to_string({"99.100.101.102", 7000}), "99.100.101.102:7000");
  EXPECT_EQ(net::to_string({"raspberrypi"}), "raspberrypi:0");
}

TEST(Socket, CarriesBytesBothWays) {
  auto [client, server] = connection();
  client.sendall("question");
  EXPECT_EQ(server.recv(1024), "question");
  server.sendall("answer");
  EXPECT_EQ(client.recv(1024), "answer");
}

TEST(Socket, CarriesEveryByteValue) {
  auto [client, server] = connection();
  std::string bytes;
  for (int value = 0; value < 256; ++value) bytes += static_cast<char>(value);
  client.sendall(bytes);
  client.close();
  EXPECT_EQ(recv_all(server), bytes);
}

TEST(Socket, RecvReturnsAtMostBufsizeBytesAndKeepsTheRest) {
  auto [client, server] = connection();
  client.sendall("0123456789");
  EXPECT_EQ(server.recv(4), "0123");
  EXPECT_EQ(server.recv(4), "4567");
  EXPECT_EQ(server.recv(4), "89");
}

TEST(Socket, RecvIsEmptyWhenThePeerHasClosedAndAllIsRead) {
  auto [client, server] = connection();
  client.sendall("last words");
  client.close();
  EXPECT_EQ(server.recv(1024), "last words");
  EXPECT_EQ(server.recv(1024), "");
  EXPECT_EQ(server.recv(1024), "");
}

TEST(Socket, SendReturnsHowManyBytesTheSystemTook) {
  auto [client, server] = connection();
  EXPECT_EQ(client.send("five!"), 5u);
  EXPECT_EQ(client.send(""), 0u);
  EXPECT_EQ(server.recv(1024), "five!");
}

TEST(Socket, SendallOfNothingSendsNothing) {
  auto [client, server] = connection();
  client.sendall("");
  client.sendall("something");
  EXPECT_EQ(server.recv(1024), "something");
}

TEST(Socket, BindToPortZeroTakesAFreePortThatGetsocknameTells) {
  net::Socket one = listening_socket(), other = listening_socket();
  EXPECT_EQ(one.getsockname().host, "127.0.0.1");
  EXPECT_NE(one.getsockname().port, 0);
  EXPECT_NE(one.getsockname().port, other.getsockname().port);
}

TEST(Socket, BindTakesTheVeryAddressAndPortAsked) {
  const net::Socket holds_the_port = bound_socket();
  const net::Address asked{"127.1.2.3", holds_the_port.getsockname().port};
  net::Socket s = tcp_socket();
  s.bind(asked);
  EXPECT_EQ(net::to_string(s.getsockname()), net::to_string(asked));
}

// The resolver knows 127.1 with no hosts file and no DNS server.
TEST(Socket, BindAndConnectResolveTheHost) {
  net::Socket listening = tcp_socket();
  listening.bind({"127.1", 0});
  listening.listen(1);
  EXPECT_EQ(listening.getsockname().host, "127.0.0.1");
  net::Socket client = tcp_socket();
  client.connect({"127.1", listening.getsockname().port});
}

TEST(Socket, AcceptGivesTheConnectionAndTheAddressOfThePeer) {
  net::Socket listening = listening_socket();
  net::Socket client = tcp_socket();
  client.connect(listening.getsockname());
  auto [server, address] = listening.accept();
  EXPECT_EQ(net::to_string(address), net::to_string(client.getsockname()));
  EXPECT_EQ(net::to_string(server.getsockname()), net::to_string(listening.getsockname()));
}

TEST(Socket, ListenLetsPeersWaitToBeAcceptedInTheirOrder) {
  net::Socket listening = listening_socket(5);
  std::vector<net::Socket> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(tcp_socket());
    clients.back().connect(listening.getsockname());
    clients.back().sendall(std::to_string(i));
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(listening.accept().first.recv(1024), std::to_string(i));
}

// The side that closes first keeps the pair of addresses for a while (TIME_WAIT).
TEST(Socket, BindsAgainAtOnceAfterItClosedFirstOnlyWithSoReuseaddr) {
  net::Socket listening = tcp_socket();
  listening.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
  listening.bind({"127.0.0.1", 0});
  listening.listen(1);
  const net::Address address = listening.getsockname();
  net::Socket client = tcp_socket();
  client.connect(address);
  listening.accept().first.close();
  EXPECT_EQ(client.recv(1), "");
  client.close();
  listening.close();

  net::Socket without = tcp_socket();
  EXPECT_EQ(error_of([&] { without.bind(address); }).code(), std::errc::address_in_use);
  net::Socket with = tcp_socket();
  with.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
  with.bind(address);
}

TEST(Socket, MovingHandsTheDescriptorOver) {
  auto [client, server] = connection();
  const std::size_t open = open_descriptors();
  net::Socket moved(std::move(client));
  EXPECT_EQ(open_descriptors(), open);
  moved.sendall("by the new owner");
  EXPECT_EQ(server.recv(1024), "by the new owner");
  expect_error([&s = client] { s.listen(1); }, EBADF, "listen");
}

TEST(Socket, AssigningClosesTheOldDescriptorAtOnce) {
  auto [client, server] = connection();
  auto [other_client, other_server] = connection();
  const std::size_t open = open_descriptors();
  EXPECT_EQ(&(client = std::move(other_client)), &client);
  ASSERT_EQ(open_descriptors(), open - 1);
  EXPECT_EQ(server.recv(1024), "");
  client.sendall("by the new owner");
  EXPECT_EQ(other_server.recv(1024), "by the new owner");
  expect_error([&s = other_client] { s.listen(1); }, EBADF, "listen");
}

TEST(Socket, AssigningToItselfChangesNothing) {
  auto [client, server] = connection();
  net::Socket& same = client;
  client = std::move(same);
  client.sendall("still here");
  EXPECT_EQ(server.recv(1024), "still here");
}

TEST(Socket, ClosesInItsDestructor) {
  const std::size_t open = open_descriptors();
  {
    const auto [client, server] = connection();
    EXPECT_EQ(open_descriptors(), open + 2);
  }
  EXPECT_EQ(open_descriptors(), open);
}

TEST(Socket, ClosesWhenAnExceptionPasses) {
  const std::size_t open = open_descriptors();
  EXPECT_THROW(
      {
        const auto both = connection();
        throw std::runtime_error("in the middle");
      },
      std::runtime_error);
  EXPECT_EQ(open_descriptors(), open);
}

TEST(Socket, ClosingTwiceClosesOnce) {
  net::Socket s = tcp_socket();
  const std::size_t open = open_descriptors();
  s.close();
  const net::Socket next = tcp_socket();  // takes the number that is free now
  s.close();
  EXPECT_EQ(open_descriptors(), open);
  next.getsockname();
}

// The lowest number that is free would be theirs, where one of them or all are closed.
TEST(Socket, KeepsOffTheNumbersOfStdinStdoutAndStderr) {
  const std::vector<int> cases[] = {{0}, {1}, {2}, {0, 1, 2}};
  for (const std::vector<int>& closed : cases) {
    std::vector<int> kept, free;
    for (const int fd : closed) kept.push_back(::dup(fd));
    for (const int fd : closed) ::close(fd);
    {
      const net::Socket one = tcp_socket(), other = tcp_socket(), third = tcp_socket();
      for (const int copy : kept) free.push_back(::dup(copy));
    }
    for (std::size_t i = 0; i < closed.size(); ++i) ::dup2(kept[i], closed[i]);
    for (const int copy : kept) ::close(copy);
    EXPECT_EQ(free, closed);
  }
}

TEST(FailingCall, SaysWhichCallAndToWhom) {
  const net::Socket silent = bound_socket();
  const net::Address taken = silent.getsockname();
  const std::string there = net::to_string(taken);
  net::Socket s = tcp_socket();
  expect_error([&] { s.bind(taken); }, EADDRINUSE, "bind " + there);
  expect_error([&] { s.bind({"192.0.2.1", 7000}); }, EADDRNOTAVAIL, "bind 192.0.2.1:7000");
  expect_error([&] { s.connect(taken); }, ECONNREFUSED, "connect " + there);
}

TEST(FailingCall, IsAnExceptionForEachCall) {
  net::Socket s = tcp_socket();
  expect_error([] { net::Socket(AF_INET, -1); }, EINVAL, "socket");
  expect_error([&] { s.setsockopt(SOL_SOCKET, -1, 1); }, ENOPROTOOPT, "setsockopt");
  expect_error([&] { s.accept(); }, EINVAL, "accept");
  expect_error([&] { s.recv(1); }, ENOTCONN, "recv");
  expect_error([&] { (void)s.send("x"); }, EPIPE, "send");
  expect_error([&] { s.sendall("x"); }, EPIPE, "send");
  s.close();
  expect_error([&] { s.listen(1); }, EBADF, "listen");
  expect_error([&] { s.getsockname(); }, EBADF, "getsockname");
}

TEST(FailingCall, LeavesNoDescriptorBehind) {
  const net::Socket silent = bound_socket();
  const net::Address nobody = silent.getsockname();
  const std::size_t open = open_descriptors();
  const auto failing = [&](const std::function<void(net::Socket&)>& call) {
    net::Socket s = tcp_socket();
    call(s);
  };
  EXPECT_ANY_THROW(net::Socket(AF_INET, -1));
  EXPECT_ANY_THROW(failing([&](net::Socket& s) { s.connect(nobody); }));
  EXPECT_ANY_THROW(failing([&](net::Socket& s) { s.connect({"a b", 7000}); }));
  EXPECT_ANY_THROW(failing([&](net::Socket& s) { s.bind({"a b", 7000}); }));
  EXPECT_ANY_THROW(failing([&](net::Socket& s) { s.bind({"192.0.2.1", 7000}); }));
  EXPECT_ANY_THROW(failing([&](net::Socket& s) { s.accept(); }));
  EXPECT_EQ(open_descriptors(), open);
}

TEST(Gethostname, IsThisMachinesName) {
  char name[256] = {};
  ASSERT_EQ(::gethostname(name, sizeof name), 0);
  EXPECT_EQ(net::gethostname(), name);
}

TEST(Gethostbyname, GivesADottedIPv4Address) {
  EXPECT_EQ(net::gethostbyname("127.1"), "127.0.0.1");
  EXPECT_EQ(net::gethostbyname("99.100.101.102"), "99.100.101.102");
  EXPECT_EQ(net::gethostbyname("0.0.0.0"), "0.0.0.0");
}

// None of these names can be one, so no DNS server is asked.
TEST(Gethostbyname, ThrowsTheNameAndTheResolversWords) {
  for (const std::string name : {"a b", "", "::1"}) {
    try {
      net::gethostbyname(name);
      ADD_FAILURE() << '"' << name << "\" was resolved";
    } catch (const std::runtime_error& error) {
      const std::string what = error.what();
      EXPECT_EQ(what.rfind("getaddrinfo \"" + name + "\": ", 0), 0u) << what;
      EXPECT_GT(what.size(), ("getaddrinfo \"" + name + "\": ").size()) << what;
    }
  }
}

TEST(ParsePort, TakesDigitsFromZeroTo65535) {
  EXPECT_EQ(net::parse_port("0"), 0);
  EXPECT_EQ(net::parse_port("7000"), 7000);
  EXPECT_EQ(net::parse_port("07000"), 7000);
  EXPECT_EQ(net::parse_port("65535"), 65535);
  EXPECT_EQ(net::parse_port(std::string_view("70001").substr(0, 4)), 7000);
}

TEST(ParsePort, RefusesAllElseAndQuotesIt) {
  for (const std::string text : {"", "65536", "70000", "72536", "4294974296", "-1", "+7000",
                                 " 7000", "7000 ", "7000x", "0x1B58", "7e3", "端口"}) {
    try {
      net::parse_port(text);
      ADD_FAILURE() << '"' << text << "\" was taken";
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find('"' + text + '"'), std::string::npos);
    }
  }
}

}  // namespace
