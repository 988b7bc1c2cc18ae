// ./server and ./client as child processes: what they print, where, and how they end.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <regex>

#include "support.hpp"

namespace {

using On = Program::On;

const std::string WAIT = "Wait for Connection..................\n";
const std::string ONLY_HERE =
    "server: only this machine can connect; ./server 0.0.0.0 lets others in\n";

const std::vector<std::string> SERVER = {"server", "127.0.0.1", "0"};

std::vector<std::string> client_of(const net::Address& server) {
  return {"client", server.host, std::to_string(server.port)};
}

net::Socket connected_to(Program& server) {
  net::Socket s = tcp_socket();
  s.connect({"127.0.0.1", server.port()});
  server.wait_for_err_lines(3);  // "listening on", "only this machine" and "connected"
  return s;
}

// With these arguments, a program must end at once and print nothing to stdout.
void expect_end(const std::vector<std::string>& arguments, int status, const std::string& err) {
  SCOPED_TRACE(testing::PrintToString(arguments));
  Program program(arguments);
  EXPECT_TRUE(program.ends_with(status));
  EXPECT_EQ(program.err, err);
  EXPECT_EQ(program.out, "");
}

// One of the programs, and the test as its peer. It begins at the program's prompt.
struct Conversation {
  explicit Conversation(const std::string& name, On on = On::pipes,
                        const std::function<void()>& in_child = {})
      : is_server(name == "server"),
        program(is_server ? SERVER : client_of(listening.getsockname()), on, in_child),
        peer(is_server ? connected_to(program) : listening.accept().first) {
    if (is_server) peer.sendall("hello");
    if (on == On::terminal) shown = std::regex_replace(shown, std::regex("\n"), "\r\n");
    program.wait_for_out(shown);
  }

  // The program's user types a line, which the peer receives.
  void says(const std::string& line) {
    program.type(line + "\n");
    EXPECT_TRUE(same(peer.recv(1024), line));
  }
  // The peer sends; the program shows this text, and its prompt again.
  void hears(const std::string& bytes, const std::string& text) {
    peer.sendall(bytes);
    shown += (is_server ? "Received message: " : "") + text + "\ninput data:";
    program.wait_for_out(shown);
  }
  void takes_turns(const std::vector<std::pair<std::string, std::string>>& bytes_and_texts) {
    for (const auto& [bytes, text] : bytes_and_texts) {
      says("next");
      hears(bytes, text);
    }
  }
  // What the program has written to stderr since it was connected.
  std::string complaint() const {
    std::size_t begin = 0;
    for (int line = is_server ? 3 : 0; line > 0; --line) begin = program.err.find('\n', begin) + 1;
    return program.err.substr(begin);
  }

  const bool is_server;
  // What its stdout must be.
  std::string shown = is_server ? WAIT + "Received message: hello\ninput data:" : "input data:";
  net::Socket listening = listening_socket();  // for a client
  Program program;
  net::Socket peer;
};

struct EitherProgram : testing::TestWithParam<std::string> {
  const std::string name = GetParam();
};

INSTANTIATE_TEST_SUITE_P(The, EitherProgram, testing::Values("server", "client"),
                         [](const auto& info) { return info.param; });

TEST_P(EitherProgram, TakesTurnsUntilItsUserTypesAnEmptyLine) {
  const std::string line(" \t a\0b\r \033[2J\302\2332J \t ", 19);  // would clear a screen
  Conversation c(name);
  c.says("你好，树莓派！");
  c.hears("你好，服务器！", "你好，服务器！");
  c.says(line);  // exactly as typed
  c.hears(line, " \t a\uFFFDb\uFFFD \uFFFD[2J\uFFFD2J \t ");
  c.says("\xC4\xE3\xBA\xC3");  // 你好, typed on a terminal set to GBK
  c.hears(" ", " ");
  for (int i = 0; i < 300; ++i) c.takes_turns({{"again", "again"}});
  c.program.type("\nnot sent\n");
  EXPECT_TRUE(c.program.ends_with(0));
  EXPECT_EQ(c.program.out, c.shown);
  EXPECT_EQ(c.complaint(), "");
  EXPECT_EQ(c.peer.recv(1), "");
}

TEST_P(EitherProgram, EndsWhenThePeerHasClosed) {
  for (const bool while_its_user_types : {false, true}) {
    Conversation c(name);
    if (!while_its_user_types) c.says("hello");
    c.peer.close();
    if (while_its_user_types) c.program.type("are you there?\n");
    EXPECT_TRUE(c.program.ends_with(0));
    EXPECT_EQ(c.complaint(), c.is_server ? "server: the client closed the connection\n"
                                         : "client: the server closed the connection\n");
  }
}

// The peer answers with a reset, which cuts the first send short. The next one must fail, not kill
// the program with SIGPIPE.
TEST_P(EitherProgram, ReportsThatThePeerClosedBeforeALongLineWasSent) {
  Conversation c(name);
  c.peer.close();
  c.program.type(std::string(4 << 20, 'x') + "\n");
  EXPECT_TRUE(c.program.ends_with(1));
  EXPECT_EQ(c.complaint(), name + ": send: Broken pipe\n");
}

// Closing with unread bytes resets the connection.
TEST_P(EitherProgram, ReportsAReset) {
  for (const bool while_its_user_types : {false, true}) {
    Conversation c(name);
    c.program.type("never read\n");
    if (while_its_user_types) c.hears("2", "2");
    EXPECT_EQ(c.peer.recv(1), "n");
    c.peer.close();
    if (while_its_user_types) c.program.type("are you there?\n");
    EXPECT_TRUE(c.program.ends_with(1));
    EXPECT_EQ(c.complaint(),
              name + (while_its_user_types ? ": send" : ": recv") + ": Connection reset by peer\n");
  }
}

// There is no framing, so a long line arrives as several messages.
TEST_P(EitherProgram, ShowsALongLineInPiecesOf1024Bytes) {
  const std::string fits(1024, 'x'), line = repeat("汉字", 500);
  Conversation c(name);
  c.takes_turns({{fits, fits}, {line, line.substr(0, 1023)}});
  c.takes_turns({{"", line.substr(1023, 1023)}, {"", line.substr(2046)}});
}

TEST_P(EitherProgram, ShowsWholeCharactersThatArriveByteByByte) {
  Conversation c(name);
  c.takes_turns({{"\xE4", ""}, {"\xBD", ""}, {"\xA0", "你"}});
  c.takes_turns({{"!", "!"}});
}

// A turn writes the message and the prompt. The longest message is 1024 malformed bytes.
TEST_P(EitherProgram, WritesTwiceATurnAndOnceALineOfStderr) {
  Conversation c(name, On::packets);
  const int before = c.program.out_pieces;
  c.takes_turns({{std::string(20, 'x'), std::string(20, 'x')},
                 {std::string(1024, '\xFF'), repeat("\uFFFD", 1024)}});
  EXPECT_EQ(c.program.out_pieces, before + 4);
  c.peer.close();
  c.program.type("are you there?\n");
  EXPECT_TRUE(c.program.ends_with(0));
  const std::string& err = c.program.err;
  EXPECT_EQ(c.program.err_pieces, std::count(err.begin(), err.end(), '\n')) << err;
}

TEST_P(EitherProgram, EndsByCtrlCWhileItsUserOrThePeerIsSilent) {
  for (const bool peers_turn : {false, true}) {
    Conversation c(name, On::terminal);
    if (peers_turn) c.says("hello");
    c.program.type("\x03");
    EXPECT_TRUE(c.program.ends_with(-SIGINT));
    EXPECT_EQ(c.peer.recv(1), "");
  }
}

// The shell's prompt then has a line of its own. After some text, Ctrl-D twice ends only the line.
TEST_P(EitherProgram, EndsAtCtrlDAndPutsTheCursorOnANewLine) {
  const std::string end = "input data:\r\n";
  Conversation c(name, On::terminal);
  c.program.type("unfinished\x04\x04");
  EXPECT_EQ(c.peer.recv(1024), "unfinished");
  c.peer.sendall("1");
  c.says("finished");
  c.peer.sendall("2");
  c.program.type("\x04");
  EXPECT_TRUE(c.program.ends_with(0));
  EXPECT_EQ(c.program.out.substr(c.program.out.size() - end.size()), end);
}

TEST_P(EitherProgram, IsEndedBySigpipeIfNobodyReadsItsOutput) {
  Conversation c(name);
  c.program.stop_reading();
  c.says("hello");
  c.peer.sendall("hello");
  EXPECT_TRUE(c.program.ends_with(-SIGPIPE));
}

TEST_P(EitherProgram, RefusesToStartIfAStandardStreamIsClosed) {
  const std::string streams[] = {"stdin", "stdout", "stderr"};
  for (int fd = 0; fd < 3; ++fd) {
    SCOPED_TRACE(streams[fd]);
    net::Socket listening = listening_socket(), me = tcp_socket();
    const net::Address address = listening.getsockname();
    Program program(name == "server" ? SERVER : client_of(address), On::pipes,
                    [fd] { ::close(fd); });
    EXPECT_TRUE(program.ends_with(1));
    EXPECT_EQ(program.err, fd == 2 ? "" : name + ": " + streams[fd] + ": Bad file descriptor\n");
    EXPECT_EQ(program.out, "");
    me.connect(address);
    EXPECT_EQ(listening.accept().second.port, me.getsockname().port) << "it had connected";
  }
}

TEST_P(EitherProgram, ReportsAnUnknownHostAndAPortThatIsNone) {
  expect_end({name, ""}, 1, name + ": getaddrinfo \"\": Name or service not known\n");
  expect_end({name, "a %d"}, 1, name + ": getaddrinfo \"a %d\": Name or service not known\n");
  expect_end({name, "::1"}, 1,
             name + ": getaddrinfo \"::1\": Address family for hostname not supported\n");
  expect_end({name, "127.0.0.1", "72536"}, 1,
             name + ": port \"72536\": not a number from 0 to 65535\n");
}

TEST_P(EitherProgram, PrintsItsUsageAfterOtherArguments) {
  const std::string usage =
      name == "server" ? "usage: server [HOST [PORT]]\n" : "usage: client HOST [PORT]\n";
  for (const char* option : {"-h", "--help", "-p"}) expect_end({name, option}, 2, usage);
  expect_end({name, "127.0.0.1", "1", "more"}, 2, usage);
  if (name == "client") expect_end({name}, 2, usage);
}

// No machine has 192.0.2.1, and TCP refuses a broadcast address: nothing leaves this machine.
TEST(Programs, UsePort7000IfNoneIsGiven) {
  expect_end({"server", "192.0.2.1"}, 1,
             "server: bind 192.0.2.1:7000: Cannot assign requested address\n");
  expect_end({"client", "255.255.255.255"}, 1,
             "client: connect 255.255.255.255:7000: Network is unreachable\n");
}

// The resolver turns 0x7f.1 into 127.0.0.1.
TEST(Server, WritesToStderrWhereItListensAndWhoConnected) {
  const std::pair<std::string, std::string> cases[] = {
      {"0x7f.1", "127.0.0.1"}, {"127.0.127.1", "127.0.127.1"}, {"0.0.0.0", "0.0.0.0"}};
  for (const auto& [given, host] : cases) {
    Program server({"server", given, "0"});
    server.wait_for_out(WAIT);
    net::Socket client = tcp_socket();
    client.connect({host, server.port()});
    server.wait_for_err_lines(host == "0.0.0.0" ? 2 : 3);
    EXPECT_EQ(server.err, "server: listening on " + host + ':' + std::to_string(server.port()) +
                              "\n" + (host == "0.0.0.0" ? "" : ONLY_HERE) +
                              "server: " + net::to_string(client.getsockname()) + " connected\n");
  }
}

// The address depends on the machine; it may be another's, or its port 7000 may be in use.
TEST(Server, ListensOnTheMachinesOwnAddressIfNoneIsGiven) {
  Program server({"server"});
  server.wait_for_err_lines(1);
  const std::string line = server.err.substr(0, server.err.find('\n') + 1);
  try {
    const std::string own = net::gethostbyname(net::gethostname()) + ":7000";
    const bool refused = line.rfind("server: bind " + own + ": ", 0) == 0;
    EXPECT_TRUE(refused || line == "server: listening on " + own + "\n") << line;
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(line, std::string("server: ") + error.what() + "\n");
  }
}

// Each server reuses the port of the one before, which closed first and left it in TIME-WAIT.
TEST(Server, RestartsAtOnceTwentyTimes) {
  std::string port = "0";
  for (int i = 0; i < 20; ++i) {
    Program server({"server", "127.0.0.1", port});
    port = std::to_string(server.port());
    net::Socket client = connected_to(server);
    client.sendall("hello");
    server.type("\n");
    EXPECT_TRUE(server.ends_with(0));
    EXPECT_EQ(client.recv(1024), "");
  }
}

// Linux lets one more client wait than the backlog of 10.
TEST(Server, LetsElevenOthersWaitAndResetsThemWhenItExits) {
  Program server(SERVER);
  net::Socket first = connected_to(server);
  std::vector<net::Socket> waiting;
  for (int i = 0; i < 11; ++i) {
    waiting.push_back(tcp_socket());
    waiting.back().connect({"127.0.0.1", server.port()});
  }
  server.end_input();
  first.sendall("hello");
  EXPECT_TRUE(server.ends_with(0));
  for (net::Socket& s : waiting) expect_error([&] { s.recv(1); }, ECONNRESET, "recv");
}

// Whoever lays a program beside its script finds the same calls in the same order. What else stands
// between them is free, and so are comments.
TEST(Programs, CallWhatTheScriptsCallInTheirOrder) {
  const std::pair<std::string, std::vector<std::string>> programs[] = {
      {"server.cpp",
       {"Socket s", "setsockopt", "bind", "listen", "print", "accept", "recv", "decode", "print",
        "input", "sendall", "close"}},
      {"client.cpp",
       {"Socket s", "connect", "input", "sendall", "recv", "print", "decode", "close"}}};
  for (const auto& [file, calls] : programs) {
    const std::string code = std::regex_replace(contents(file), std::regex("//[^\n]*"), "");
    std::size_t at = 0;
    for (const std::string& call : calls) {
      at = code.find(call + '(', at);
      ASSERT_NE(at, std::string::npos)
          << file << " no longer calls " << call << " where the post's script does.";
    }
  }
}

}  // namespace
