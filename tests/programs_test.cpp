// ./server and ./client as child processes: what they print, where, and how they end.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

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
  server.wait_for_err(" connected\n");
  return s;
}

// With these arguments, a program must end at once and print nothing to stdout.
void expect_end(const std::vector<std::string>& arguments, int status, const std::string& err) {
  SCOPED_TRACE(testing::PrintToString(arguments));
  Program program(arguments);
  EXPECT_EQ(program.wait(), status);
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
    program.wait_until([&] { return program.out.find("input data:") != std::string::npos; },
                       "its prompt");
  }

  // The program's user types a line, which the peer receives.
  void says(const std::string& line) {
    program.type(line + "\n");
    EXPECT_EQ(peer.recv(1024), line);
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
    const std::string before = " connected\n";
    return is_server ? program.err.substr(program.err.find(before) + before.size()) : program.err;
  }

  const bool is_server;
  net::Socket listening = listening_socket();  // for a client
  Program program;
  net::Socket peer;
  // What its stdout must contain.
  std::string shown = is_server ? WAIT + "Received message: hello\ninput data:" : "input data:";
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
  EXPECT_EQ(c.program.wait(), 0);
  EXPECT_EQ(c.program.out, c.shown);
  EXPECT_EQ(c.complaint(), "");
  EXPECT_EQ(c.peer.recv(1), "");
}

TEST_P(EitherProgram, SendsALastLineWithoutNewlineAndEndsAtTheEndOfItsInput) {
  Conversation c(name);
  c.program.type("unfinished");
  c.program.end_input();
  EXPECT_EQ(c.peer.recv(1024), "unfinished");
  c.peer.sendall("answer");
  EXPECT_EQ(c.program.wait(), 0);
  EXPECT_EQ(c.program.out,
            c.shown + (c.is_server ? "Received message: " : "") + "answer\ninput data:\n");
}

TEST_P(EitherProgram, EndsWhenThePeerHasClosed) {
  for (const bool while_its_user_types : {false, true}) {
    Conversation c(name);
    if (!while_its_user_types) c.says("hello");
    c.peer.close();
    if (while_its_user_types) c.program.type("are you there?\n");
    EXPECT_EQ(c.program.wait(), 0);
    EXPECT_EQ(c.complaint(), c.is_server ? "server: the client closed the connection\n"
                                         : "client: the server closed the connection\n");
    EXPECT_EQ(c.program.out, c.shown);
  }
}

// The peer answers the first send with a reset. A later one must fail, not kill the program
// with SIGPIPE.
TEST_P(EitherProgram, ReportsThatThePeerClosedBeforeALongLineWasSent) {
  Conversation c(name);
  c.peer.close();
  c.program.type(std::string(4 << 20, 'x') + "\n");
  EXPECT_EQ(c.program.wait(), 1);
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
    EXPECT_EQ(c.program.wait(), 1);
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

// If the program is stopped during a send, that send is cut short, and the rest must follow.
TEST_P(EitherProgram, SendsALongLineWholeAlthoughItIsStoppedInTheMiddle) {
  const std::string line = repeat("汉字", 700'000);
  Conversation c(name);
  c.peer.sendall("and then?");
  c.program.type(line + "\nend\n");
  std::string received;
  while (received.size() < line.size() + 3) {
    const std::string piece = c.peer.recv(1 << 17);
    if (piece.empty()) break;
    received += piece;
    c.program.stop_and_continue();
  }
  EXPECT_TRUE(received == line + "end");
}

TEST_P(EitherProgram, ShowsWholeCharactersThatArriveByteByByte) {
  Conversation c(name);
  c.takes_turns({{"\xE4", ""}, {"\xBD", ""}, {"\xA0", "你"}});
  c.takes_turns({{"\xE5", ""}, {"\xA5", ""}, {"\xBD", "好"}});
  c.takes_turns({{"!", "!"}});
}

// A turn writes the message and the prompt. The longest message is 1024 malformed bytes.
TEST_P(EitherProgram, WritesTwiceATurnAndOnceALineOfStderr) {
  Conversation c(name, On::packets);
  const int before = c.program.out_pieces;
  c.takes_turns({{std::string(20, 'x'), std::string(20, 'x')},
                 {std::string(1024, '\xFF'), repeat(REPLACED, 1024)}});
  EXPECT_EQ(c.program.out_pieces, before + 4);
  c.peer.close();
  c.program.type("are you there?\n");
  EXPECT_EQ(c.program.wait(), 0);
  const std::string& err = c.program.err;
  EXPECT_EQ(c.program.err_pieces, std::count(err.begin(), err.end(), '\n')) << err;
}

TEST_P(EitherProgram, EndsByCtrlCWhileItsUserOrThePeerIsSilent) {
  for (const bool peers_turn : {false, true}) {
    Conversation c(name, On::terminal);
    if (peers_turn) c.says("hello");
    c.program.type("\x03");
    EXPECT_EQ(c.program.wait(), -SIGINT);
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
  EXPECT_EQ(c.program.wait(), 0);
  EXPECT_EQ(c.program.out.substr(c.program.out.size() - end.size()), end);
}

TEST_P(EitherProgram, IsEndedBySigpipeIfNobodyReadsItsOutput) {
  Conversation c(name);
  c.program.stop_reading();
  c.says("hello");
  c.peer.sendall("hello");
  EXPECT_EQ(c.program.wait(), -SIGPIPE);
}

TEST_P(EitherProgram, ReportsAStdinThatIsADirectory) {
  Conversation c(name, On::pipes, [] {
    ::close(STDIN_FILENO);
    ::open("/", O_RDONLY);
  });
  EXPECT_EQ(c.program.wait(), 1);
  EXPECT_EQ(c.complaint(), name + ": stdin: Is a directory\n");
  EXPECT_EQ(c.program.out, c.shown);
}

TEST_P(EitherProgram, RefusesToStartIfAStandardStreamIsClosed) {
  const std::string streams[] = {"stdin", "stdout", "stderr"};
  for (int fd = 0; fd < 3; ++fd) {
    SCOPED_TRACE(streams[fd]);
    net::Socket listening = listening_socket(), me = tcp_socket();
    const net::Address address = listening.getsockname();
    Program program(name == "server" ? SERVER : client_of(address), On::pipes,
                    [fd] { ::close(fd); });
    EXPECT_EQ(program.wait(), 1);
    EXPECT_EQ(program.err, fd == 2 ? "" : name + ": " + streams[fd] + ": Bad file descriptor\n");
    EXPECT_EQ(program.out, "");
    me.connect(address);
    EXPECT_EQ(listening.accept().second.port, me.getsockname().port) << "it had connected";
  }
}

TEST_P(EitherProgram, ReportsAnUnknownHostAndAPortThatIsNone) {
  expect_end({name, ""}, 1, name + ": getaddrinfo \"\": Name or service not known\n");
  expect_end({name, "a %d"}, 1, name + ": getaddrinfo \"a %d\": Name or service not known\n");
  expect_end({name, "127.0.0.1", "72536"}, 1,
             name + ": port \"72536\": not a number from 0 to 65535\n");
}

TEST_P(EitherProgram, PrintsItsUsageAfterOtherArguments) {
  const std::string usage =
      name == "server" ? "usage: server [HOST [PORT]]\n" : "usage: client HOST [PORT]\n";
  for (const char* option : {"-h", "--help", "-p"}) expect_end({name, option}, 2, usage);
  expect_end({name, "-p", "7000"}, 2, usage);
  expect_end({name, "127.0.0.1", "1", "more"}, 2, usage);
  if (name == "client") expect_end({name}, 2, usage);
}

TEST(Conversation, IsTypedOnTerminals) {
  const std::string wait = "Wait for Connection..................\r\n";
  Program server(SERVER, On::terminal);
  server.wait_for_out(wait);  // shown at once
  Program client(client_of({"127.0.0.1", server.port()}), On::terminal);
  client.wait_for_out("input data:");
  client.type("你好\r");
  server.wait_for_out(wait + "Received message: 你好\r\ninput data:");
  server.type("fine\r");
  client.wait_for_out("input data:你好\r\nfine\r\ninput data:");
  client.type("\r");
  EXPECT_EQ(client.wait(), 0);
  EXPECT_EQ(server.wait(), 0);
  EXPECT_EQ(client.out, "input data:你好\r\nfine\r\ninput data:\r\n");
  EXPECT_EQ(server.out, wait + "Received message: 你好\r\ninput data:fine\r\n");
}

// No machine has 192.0.2.1, and TCP refuses a broadcast address: nothing leaves this machine.
TEST(Conversation, UsesPort7000IfNoneIsGiven) {
  expect_end({"server", "192.0.2.1"}, 1,
             "server: bind 192.0.2.1:7000: Cannot assign requested address\n");
  expect_end({"client", "255.255.255.255"}, 1,
             "client: connect 255.255.255.255:7000: Network is unreachable\n");
}

TEST(Server, ReportsAPortThatAnotherServerUses) {
  Program first(SERVER);
  const std::string port = std::to_string(first.port());
  expect_end({"server", "127.0.0.1", port}, 1,
             "server: bind 127.0.0.1:" + port + ": Address already in use\n");
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
    server.wait_for_err(" connected\n");
    EXPECT_EQ(server.err, "server: listening on " + host + ':' + std::to_string(server.port()) +
                              "\n" + (host == "0.0.0.0" ? "" : ONLY_HERE) +
                              "server: " + net::to_string(client.getsockname()) + " connected\n");
  }
}

// The address depends on the machine; it may be another's, or its port 7000 may be in use.
TEST(Server, ListensOnTheMachinesOwnAddressIfNoneIsGiven) {
  Program server({"server"});
  server.wait_for_err("\n");
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
    EXPECT_EQ(server.wait(), 0) << server.err;
    EXPECT_EQ(client.recv(1024), "");
  }
}

// Linux lets one more client wait than the backlog of 10.
TEST(Server, LetsElevenOthersWaitAndResetsThemWhenItExits) {
  Program server(SERVER);
  net::Socket first = connected_to(server);
  const net::Address address{"127.0.0.1", server.port()};
  std::vector<net::Socket> waiting;
  for (int i = 0; i < 11; ++i) {
    waiting.push_back(tcp_socket());
    waiting.back().connect(address);
  }
  net::Socket one_too_many(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  expect_error([&] { one_too_many.connect(address); }, EINPROGRESS,
               "connect " + net::to_string(address));
  expect_error([&] { (void)one_too_many.send("not yet connected"); }, EAGAIN, "send");
  server.end_input();
  first.sendall("hello");
  EXPECT_EQ(server.wait(), 0);
  for (net::Socket& s : waiting) expect_error([&] { s.recv(1); }, ECONNRESET, "recv");
}

}  // namespace
