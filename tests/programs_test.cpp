// ./server and ./client, as child processes: what they print where, and how they end.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "support.hpp"

namespace {

const std::string WAIT = "Wait for Connection..................\n";
const std::string ONLY_HERE =
    "server: only this machine can connect; ./server 0.0.0.0 listens on every address\n";

Program local_server(Program::On on = Program::On::pipes,
                     const std::function<void()>& in_child = {}) {
  return Program({"server", "127.0.0.1", "0"}, on, in_child);
}

Program client_of(Program& server, Program::On on = Program::On::pipes) {
  return Program({"client", "127.0.0.1", std::to_string(server.port())}, on);
}

Program client_of(const net::Socket& listening, const std::function<void()>& in_child = {}) {
  const net::Address address = listening.getsockname();
  return Program({"client", address.host, std::to_string(address.port)}, Program::On::pipes,
                 in_child);
}

// A client of the test's own, to say what it likes byte by byte.
net::Socket stranger_to(Program& server) {
  net::Socket s(AF_INET, SOCK_STREAM);
  s.connect({"127.0.0.1", server.port()});
  server.wait_for_err(" connected\n");
  return s;
}

// A server of the test's own, with ./client connected to it.
struct ServedClient {
  net::Socket listening = listening_socket();
  Program client = client_of(listening);
  net::Socket server = listening.accept().first;
};

// The whole talk of the two programs, all lines typed beforehand: what each prints on stdout.
struct Talk {
  std::string server, client;
};
Talk talk(const std::string& typed_at_server, const std::string& typed_at_client) {
  Program server = local_server();
  Program client = client_of(server);
  server.type(typed_at_server);
  client.type(typed_at_client);
  EXPECT_EQ(client.wait(), 0) << client.err;
  EXPECT_EQ(server.wait(), 0) << server.err;
  return {server.out, client.out};
}

// Given arguments: the program says one line and the usage, and ends with 2.
void expect_refused(const std::vector<std::string>& arguments, const std::string& line) {
  Program program(arguments);
  EXPECT_EQ(program.wait(), 2);
  EXPECT_EQ(program.out, "");
  const std::string& name = arguments[0];
  EXPECT_EQ(program.err, name + ": " + line + "\n" + name + ": usage: " + name +
                             (name == "server" ? " [HOST [PORT]]\n" : " HOST [PORT]\n"));
}

// The server says on its stderr where it listens, and who came, before the line that matters.
std::string last_line(const std::string& text) {
  return text.substr(text.rfind('\n', text.size() - 2) + 1);
}

void close_stdin() { ::close(STDIN_FILENO); }
void close_stdout() { ::close(STDOUT_FILENO); }
void fill_stdout() {
  close_stdout();
  ::open("/dev/full", O_WRONLY);  // takes the lowest free number, stdout's
}

TEST(Talk, TakesTurnsUntilTheClientTypesAnEmptyLine) {
  const Talk t = talk("fine, and you?\nbye\nnot read\n", "how are you?\nwell\n\n");
  EXPECT_EQ(t.server, WAIT +
                          "Received message: how are you?\n"
                          "input data:"
                          "Received message: well\n"
                          "input data:");
  EXPECT_EQ(t.client,
            "input data:fine, and you?\n"
            "input data:bye\n"
            "input data:");
}

TEST(Talk, TakesTurnsUntilTheServerTypesAnEmptyLine) {
  const Talk t = talk("one\n\n", "1\n2\n3\n");
  EXPECT_EQ(t.server, WAIT + "Received message: 1\ninput data:Received message: 2\ninput data:");
  EXPECT_EQ(t.client, "input data:one\ninput data:");
}

TEST(Talk, CarriesChinese) {
  const Talk t = talk("你好，树莓派！\n再见\n", "你好，服务器！\n温度 21.5 ℃\n\n");
  EXPECT_EQ(t.server, WAIT +
                          "Received message: 你好，服务器！\n"
                          "input data:"
                          "Received message: 温度 21.5 ℃\n"
                          "input data:");
  EXPECT_EQ(t.client,
            "input data:你好，树莓派！\n"
            "input data:再见\n"
            "input data:");
}

TEST(Talk, EndsAtOnceWhereTheFirstLineIsEmpty) {
  const Talk t = talk("", "\n");
  EXPECT_EQ(t.server, WAIT);
  EXPECT_EQ(t.client, "input data:");
}

TEST(Talk, CarriesALineOf1024BytesAsOneMessage) {
  const std::string line(1024, 'x');
  const Talk t = talk(line + "\n", line + "\n\n");
  EXPECT_EQ(t.server, WAIT + "Received message: " + line + "\ninput data:");
  EXPECT_EQ(t.client, "input data:" + line + "\ninput data:");
}

TEST(Talk, Lasts300Turns) {
  std::string typed, server = WAIT, client;
  for (int i = 1; i <= 300; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    typed += line;
    server += "Received message: " + line + "input data:";
    client += "input data:" + line;
  }
  const Talk t = talk(typed, typed + "\n");
  EXPECT_EQ(t.server, server);
  EXPECT_EQ(t.client, client + "input data:");
}

TEST(Talk, SendsALineThatTheInputEndsWithoutANewline) {
  Program server = local_server();
  Program client = client_of(server);
  client.type("unfinished");
  client.end_input();
  server.wait_for_out("Received message: unfinished\ninput data:");
  server.type("answer\n");
  EXPECT_EQ(client.wait(), 0);
  EXPECT_EQ(client.out, "input data:answer\ninput data:");
  EXPECT_EQ(server.wait(), 0);
}

// The messages among what a program has printed, joined.
std::string messages(const std::string& out) {
  std::string joined = out;
  for (const std::string& other :
       {WAIT, std::string("Received message: "), std::string("input data:"), std::string("\n")})
    for (std::size_t at; (at = joined.find(other)) != std::string::npos;)
      joined.erase(at, other.size());
  return joined;
}

// There is no framing: a line of more than 1024 bytes comes in pieces, and the turns fall out of
// step. Given such a line: the messages that arrive, joined, are the line.
void expect_whole(const std::string& line, Program& sender, Program& receiver) {
  sender.type(line + "\n");
  receiver.type(repeat("next\n", 20));
  receiver.wait_until([&] { return messages(receiver.out).size() >= line.size(); }, "all of it");
  EXPECT_EQ(messages(receiver.out), line);
}

TEST(LongLine, ReachesTheServerInPiecesThatJoinedAreTheLine) {
  Program server = local_server();
  Program client = client_of(server);
  expect_whole(repeat("汉字", 500), client, server);
}

TEST(LongLine, ReachesTheClientInPiecesThatJoinedAreTheLine) {
  Program server = local_server();
  Program client = client_of(server);
  expect_whole(repeat("漢字", 500), server, client);
}

TEST(LongLine, Of1025BytesIsTwoMessages) {
  const std::string line(1025, 'x');
  Program server = local_server();
  net::Socket stranger = stranger_to(server);
  stranger.sendall(line);
  server.type("next\n");
  server.wait_for_out(WAIT + "Received message: " + line.substr(1) +
                      "\ninput data:Received message: x\ninput data:");

  ServedClient served;
  served.server.sendall(line);
  served.client.type("hello\nnext\n");
  served.client.wait_for_out("input data:" + line.substr(1) + "\ninput data:x\ninput data:");
}

// Being stopped makes the system's send a short one, and what is left must follow. Given a program
// that sends a line and, for its next turn, "end": all that comes while it is stopped now and then.
std::string read_while_stopping(net::Socket& s, Program& program) {
  std::string received;
  while (received.size() < 3 || received.substr(received.size() - 3) != "end") {
    received += s.recv(1 << 18);
    program.stop_and_continue();
  }
  return received;
}

TEST(LongLine, IsSentWholeThoughTheServerIsStoppedInTheMiddle) {
  const std::string line = repeat("汉字", 2 << 20);
  Program server = local_server();
  net::Socket stranger = stranger_to(server);
  stranger.sendall("hello");
  server.wait_for_out("input data:");
  stranger.sendall("and then?");
  server.type(line + "\nend\n");
  EXPECT_TRUE(read_while_stopping(stranger, server) == line + "end");
}

TEST(LongLine, IsSentWholeThoughTheClientIsStoppedInTheMiddle) {
  const std::string line = repeat("汉字", 2 << 20);
  ServedClient served;
  served.server.sendall("and then?");
  served.client.type(line + "\nend\n");
  EXPECT_TRUE(read_while_stopping(served.server, served.client) == line + "end");
}

// Each byte of "你好!", and what it completes.
const std::pair<std::string, std::string> BYTES[] = {{"\xE4", ""}, {"\xBD", ""}, {"\xA0", "你"},
                                                     {"\xE5", ""}, {"\xA5", ""}, {"\xBD", "好"},
                                                     {"!", "!"}};

TEST(ByteByByte, TheServerShowsWholeCharacters) {
  Program server = local_server();
  net::Socket client = stranger_to(server);
  std::string expected = WAIT;
  for (const auto& [byte, completed] : BYTES) {
    client.sendall(byte);
    expected += "Received message: " + completed + "\ninput data:";
    server.wait_for_out(expected);
    server.type("ok\n");
    EXPECT_EQ(client.recv(1024), "ok");
  }
  EXPECT_EQ(server.out, expected);
}

TEST(ByteByByte, TheClientShowsWholeCharacters) {
  ServedClient served;
  std::string expected = "input data:";
  for (const auto& [byte, completed] : BYTES) {
    served.client.type("ok\n");
    EXPECT_EQ(served.server.recv(1024), "ok");
    served.server.sendall(byte);
    expected += completed + "\ninput data:";
    served.client.wait_for_out(expected);
  }
  EXPECT_EQ(served.client.out, expected);
}

TEST(Stderr, HasWhatTheServerSaysBesides) {
  Program server = local_server();
  const std::string port = std::to_string(server.port());
  net::Socket client = stranger_to(server);
  const std::string address = net::to_string(client.getsockname());
  client.close();
  EXPECT_EQ(server.wait(), 0);
  EXPECT_EQ(server.err, "server: listening on 127.0.0.1:" + port + "\n" + ONLY_HERE + "server: " +
                            address + " connected\nserver: the client closed the connection\n");
  EXPECT_EQ(server.out, WAIT);
}

TEST(Stderr, HasWhatTheClientSaysBesides) {
  ServedClient served;
  served.client.type("hello\n");
  EXPECT_EQ(served.server.recv(1024), "hello");
  served.server.close();
  EXPECT_EQ(served.client.wait(), 0);
  EXPECT_EQ(served.client.err, "client: the server closed the connection\n");
  EXPECT_EQ(served.client.out, "input data:");
}

TEST(Stderr, HasNoHintWhereOthersCanConnect) {
  Program server({"server", "0.0.0.0", "0"});
  const std::string port = std::to_string(server.port());
  server.wait_for_out(WAIT);
  EXPECT_EQ(server.err, "server: listening on 0.0.0.0:" + port + "\n");
}

TEST(Stderr, HasTheHintOnEachAddressOf127) {
  Program server({"server", "127.0.127.1", "0"});
  const std::string port = std::to_string(server.port());
  server.wait_for_out(WAIT);
  EXPECT_EQ(server.err, "server: listening on 127.0.127.1:" + port + "\n" + ONLY_HERE);
}

TEST(Stdout, ShowsThePromptAndTheMessageBeforeItWaits) {
  Program server = local_server();
  server.wait_for_out(WAIT);
  Program client = client_of(server);
  client.wait_for_out("input data:");
  client.type("hello\n");
  server.wait_for_out("Received message: hello\ninput data:");
}

TEST(EndOfInput, EndsTheTalkAsAnEmptyLineDoes) {
  Program server = local_server();
  Program client = client_of(server);
  client.end_input();
  EXPECT_EQ(client.wait(), 0);
  EXPECT_EQ(client.err, "");
  EXPECT_EQ(server.wait(), 0);

  Program other_server = local_server();
  Program other_client = client_of(other_server);
  other_client.type("hello\n");
  other_server.end_input();
  EXPECT_EQ(other_server.wait(), 0);
  EXPECT_EQ(other_server.err.find("closed"), std::string::npos) << other_server.err;
  EXPECT_EQ(other_client.wait(), 0);
}

TEST(Terminal, TakesATalkTypedByKeys) {
  Program server = local_server(Program::On::terminal);
  Program client = client_of(server, Program::On::terminal);
  client.wait_for_out("input data:");
  client.type("你好\r");
  server.wait_for_out("Received message: 你好\r\ninput data:");
  server.type("fine\r");
  client.wait_for_out("fine\r\ninput data:");
  client.type("\r");
  EXPECT_EQ(client.wait(), 0);
  EXPECT_EQ(server.wait(), 0);
  EXPECT_EQ(client.out, "input data:你好\r\nfine\r\ninput data:\r\n");
  EXPECT_EQ(server.out,
            "Wait for Connection..................\r\n"
            "Received message: 你好\r\ninput data:fine\r\n");
}

TEST(Terminal, CtrlDEndsTheTalk) {
  Program server = local_server();
  Program client = client_of(server, Program::On::terminal);
  client.wait_for_out("input data:");
  client.type("\x04");
  EXPECT_EQ(client.wait(), 0);
  EXPECT_EQ(server.wait(), 0);
}

TEST(Terminal, CtrlCEndsTheProgramBySigintAndThePeerSeesItClose) {
  Program server = local_server(Program::On::terminal);
  Program client = client_of(server, Program::On::terminal);
  client.wait_for_out("input data:");
  server.wait_for_err("connected");
  client.type("\x03");
  EXPECT_EQ(client.wait(), -SIGINT);
  server.wait_for_err("server: the client closed the connection\n");
  EXPECT_EQ(server.wait(), 0);
}

TEST(Arguments, HelpIsPrintedToStdout) {
  for (const std::string option : {"-h", "--help"}) {
    Program server({"server", option}), client({"client", option});
    EXPECT_EQ(server.wait(), 0);
    EXPECT_EQ(client.wait(), 0);
    EXPECT_EQ(server.out, "usage: server [HOST [PORT]]\n");
    EXPECT_EQ(client.out, "usage: client HOST [PORT]\n");
    EXPECT_EQ(server.err + client.err, "");
  }
}

TEST(Arguments, AreRefusedWhereTheyAreTooManyOrTooFew) {
  expect_refused({"server", "127.0.0.1", "0", "more"}, "too many arguments");
  expect_refused({"client", "127.0.0.1", "1", "more"}, "one or two arguments are needed");
  expect_refused({"client"}, "one or two arguments are needed");
}

TEST(Arguments, AreRefusedWhereAnOptionIsUnknown) {
  expect_refused({"server", "--port"}, "unknown option \"--port\"");
  expect_refused({"server", "-p", "7000"}, "unknown option \"-p\"");
  expect_refused({"client", "--port"}, "unknown option \"--port\"");
  expect_refused({"client", "-p", "7000"}, "unknown option \"-p\"");
}

TEST(Arguments, AreRefusedWhereThePortIsNone) {
  for (const std::string port :
       {"70000", "65536", "72536", "4294974296", "-1", "+7000", " 7000", "7000x", ""})
    for (const std::string program : {"server", "client"})
      expect_refused({program, "127.0.0.1", port},
                     "port \"" + port + "\": not a number from 0 to 65535");
  expect_refused({"client", "127.0.0.1", "0"}, "port 0: no server listens there");
}

// Port 7000 of 127.0.0.1 may be taken; an address of this process's own is not.
std::string own_address() {
  const int id = ::getpid();
  return "127." + std::to_string(100 + id / 62500 % 100) + '.' + std::to_string(id / 250 % 250) +
         '.' + std::to_string(1 + id % 250);
}

TEST(Arguments, PortIs7000WhereNoneIsGiven) {
  const std::string host = own_address();
  Program server({"server", host});
  server.wait_for_err("server: listening on " + host + ":7000\n");
  Program client({"client", host});
  server.wait_for_err(" connected\n");
  client.type("\n");
  EXPECT_EQ(client.wait(), 0);
  EXPECT_EQ(server.wait(), 0);
}

// Gives the machine a name, and a net where port 7000 is free, in namespaces of the child's own.
// Where it may not make them, the child ends with NO_NAMESPACE.
constexpr int NO_NAMESPACE = 77;
void give_a_name(const char* name) {
  if (::unshare(CLONE_NEWUTS | CLONE_NEWNET) != 0 &&
      ::unshare(CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWNET) != 0)
    ::_exit(NO_NAMESPACE);
  if (::sethostname(name, std::string_view(name).size()) != 0) ::_exit(NO_NAMESPACE);
}

// 127.1 is a name that every machine resolves.
TEST(Arguments, HostIsTheMachinesOwnNameWhereNoneIsGiven) {
  Program server({"server"}, Program::On::pipes, [] { give_a_name("127.1"); });
  try {
    server.wait_for_out(WAIT);
  } catch (const std::runtime_error&) {
    if (server.wait() == NO_NAMESPACE) GTEST_SKIP() << "no namespace may be made here";
    throw;
  }
  EXPECT_EQ(server.err, "server: listening on 127.0.0.1:7000\n" + ONLY_HERE);
}

TEST(Error, SaysThatNobodyListens) {
  const net::Socket silent = bound_socket();
  const net::Address nobody = silent.getsockname();
  Program client = client_of(silent);
  EXPECT_EQ(client.wait(), 1);
  EXPECT_EQ(client.err, "client: connect " + net::to_string(nobody) + ": Connection refused\n");
  EXPECT_EQ(client.out, "");
}

TEST(Error, NamesTheHostThatIsUnknown) {
  Program client({"client", "a b"}), server({"server", "a b"});
  EXPECT_EQ(client.wait(), 1);
  EXPECT_EQ(server.wait(), 1);
  EXPECT_EQ(client.err, "client: getaddrinfo \"a b\": Name or service not known\n");
  EXPECT_EQ(server.err, "server: getaddrinfo \"a b\": Name or service not known\n");
}

TEST(Error, SaysThatThePortIsInUse) {
  const net::Socket listening = listening_socket();
  const net::Address taken = listening.getsockname();
  Program server({"server", taken.host, std::to_string(taken.port)});
  EXPECT_EQ(server.wait(), 1);
  EXPECT_EQ(server.err, "server: bind " + net::to_string(taken) + ": Address already in use\n");
  EXPECT_EQ(server.out, "");
}

TEST(Error, SaysThatTheAddressIsNotThisMachines) {
  Program server({"server", "192.0.2.1"});
  EXPECT_EQ(server.wait(), 1);
  EXPECT_EQ(server.err, "server: bind 192.0.2.1:7000: Cannot assign requested address\n");
}

TEST(Error, SaysWhatToTypeWhereTheOwnNameIsUnknown) {
  Program server({"server"}, Program::On::pipes, [] { give_a_name("a b"); });
  const int status = server.wait();
  if (status == NO_NAMESPACE) GTEST_SKIP() << "no namespace may be made here";
  EXPECT_EQ(status, 1);
  EXPECT_EQ(server.err,
            "server: getaddrinfo \"a b\": Name or service not known; try ./server 0.0.0.0\n");
}

TEST(Error, EndsTheProgramWhereStdoutIsFull) {
  Program server = local_server(Program::On::pipes, fill_stdout);
  EXPECT_EQ(server.wait(), 1);
  EXPECT_EQ(last_line(server.err), "server: stdout: No space left on device\n");

  net::Socket listening = listening_socket();
  Program client = client_of(listening, fill_stdout);
  EXPECT_EQ(client.wait(), 1);
  EXPECT_EQ(client.err, "client: stdout: No space left on device\n");

  for (const std::string name : {"server", "client"}) {
    Program help({name, "--help"}, Program::On::pipes, fill_stdout);
    EXPECT_EQ(help.wait(), 1);
    EXPECT_EQ(help.err, name + ": stdout: No space left on device\n");
  }
}

TEST(Error, EndsTheProgramWhereStdinIsClosed) {
  Program server = local_server(Program::On::pipes, close_stdin);
  net::Socket stranger = stranger_to(server);
  stranger.sendall("not what is typed");
  EXPECT_EQ(server.wait(), 1);
  EXPECT_EQ(last_line(server.err), "server: stdin: Bad file descriptor\n");
  EXPECT_EQ(stranger.recv(1024), "");

  net::Socket listening = listening_socket();
  Program client = client_of(listening, close_stdin);
  net::Socket s = listening.accept().first;
  s.sendall("not what is typed");
  EXPECT_EQ(client.wait(), 1);
  EXPECT_EQ(client.err, "client: stdin: Bad file descriptor\n");
}

TEST(Error, EndsTheProgramWhereStdoutIsClosed) {
  Program server = local_server(Program::On::pipes, close_stdout);
  EXPECT_EQ(server.wait(), 1);
  EXPECT_EQ(last_line(server.err), "server: stdout: Bad file descriptor\n");

  net::Socket listening = listening_socket();
  Program client = client_of(listening, close_stdout);
  net::Socket s = listening.accept().first;
  EXPECT_EQ(client.wait(), 1);
  EXPECT_EQ(client.err, "client: stdout: Bad file descriptor\n");
  EXPECT_EQ(s.recv(1024), "") << "what is printed went to the peer";
}

TEST(Peer, ClosesWhileOneTypes) {
  Program server = local_server();
  net::Socket stranger = stranger_to(server);
  stranger.sendall("hello");
  server.wait_for_out("input data:");
  stranger.close();
  server.type("are you there?\n");
  EXPECT_EQ(server.wait(), 0);
  EXPECT_EQ(last_line(server.err), "server: the client closed the connection\n");

  ServedClient served;
  served.client.wait_for_out("input data:");
  served.server.close();
  served.client.type("are you there?\n");
  EXPECT_EQ(served.client.wait(), 0);
  EXPECT_EQ(served.client.err, "client: the server closed the connection\n");
}

// The first send finds the connection closed, and a later one must not be death by SIGPIPE.
TEST(Peer, HasClosedBeforeALongLineIsSent) {
  const std::string line(4 << 20, 'x');
  Program server = local_server();
  net::Socket stranger = stranger_to(server);
  stranger.sendall("hello");
  server.wait_for_out("input data:");
  stranger.close();
  server.type(line + "\n");
  EXPECT_EQ(server.wait(), 1);
  EXPECT_EQ(last_line(server.err), "server: send: Broken pipe\n");

  ServedClient served;
  served.client.wait_for_out("input data:");
  served.server.close();
  served.client.type(line + "\n");
  EXPECT_EQ(served.client.wait(), 1);
  EXPECT_EQ(served.client.err, "client: send: Broken pipe\n");
}

// A close with bytes unread.
TEST(Peer, ResetsTheConnection) {
  Program server = local_server();
  net::Socket stranger = stranger_to(server);
  stranger.sendall("hello");
  server.type("answer\n");
  EXPECT_EQ(stranger.recv(1), "a");
  stranger.close();
  EXPECT_EQ(server.wait(), 1);
  EXPECT_EQ(last_line(server.err), "server: recv: Connection reset by peer\n");

  ServedClient served;
  served.client.type("hello\n");
  EXPECT_EQ(served.server.recv(1), "h");
  served.server.close();
  EXPECT_EQ(served.client.wait(), 1);
  EXPECT_EQ(served.client.err, "client: recv: Connection reset by peer\n");
}

TEST(Peer, IsSilentAndCtrlCStillEndsTheProgram) {
  Program server = local_server(Program::On::terminal);
  const net::Socket stranger = stranger_to(server);
  server.type("\x03");
  EXPECT_EQ(server.wait(), -SIGINT);
}

// A connection that is being made, without waiting for it.
int begin_to_connect(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(port);
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::connect(fd, reinterpret_cast<sockaddr*>(&server), sizeof server);
  return fd;
}

// It has said all that it will, and still listens.
TEST(Peer, HasClosedHalfAndIsStillAnswered) {
  Program server = local_server();
  const int stranger = begin_to_connect(server.port());
  server.wait_for_err(" connected\n");
  EXPECT_EQ(::send(stranger, "over to you", 11, MSG_NOSIGNAL), 11);
  EXPECT_EQ(::shutdown(stranger, SHUT_WR), 0);
  server.type("thanks\n");
  EXPECT_EQ(server.wait(), 0);
  EXPECT_EQ(last_line(server.err), "server: the client closed the connection\n");
  EXPECT_EQ(server.out, WAIT + "Received message: over to you\ninput data:");
  char answer[16] = {};
  EXPECT_EQ(::recv(stranger, answer, sizeof answer, 0), 6);
  EXPECT_STREQ(answer, "thanks");
  ::close(stranger);
}

bool is_connected(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
  return info.tcpi_state == TCP_ESTABLISHED;
}

// Linux lets one more wait than the backlog says.
TEST(Backlog, LetsTenAndOneMoreWaitWhileTheFirstTalks) {
  Program server = local_server();
  net::Socket first = stranger_to(server);
  std::vector<int> waiting;
  for (int i = 0; i < 12; ++i) waiting.push_back(begin_to_connect(server.port()));
  for (int i = 0; i < 11; ++i) {
    pollfd connected{waiting[i], POLLOUT, 0};
    EXPECT_EQ(::poll(&connected, 1, std::chrono::milliseconds(PATIENCE).count()), 1);
  }
  EXPECT_FALSE(is_connected(waiting[11]));
  first.sendall("hello");
  server.wait_for_out("Received message: hello\n");
  for (const int fd : waiting) ::close(fd);
}

// Each restart takes the port that the server before it, which closed first, has just left.
TEST(Restart, WorksAtOnceTwentyTimes) {
  std::string port = "0";
  for (int i = 0; i < 20; ++i) {
    Program server({"server", "127.0.0.1", port});
    port = std::to_string(server.port());
    net::Socket client = stranger_to(server);
    client.sendall("hello");
    server.type("\n");
    EXPECT_EQ(server.wait(), 0) << server.err;
    EXPECT_EQ(client.recv(1024), "");
  }
}

TEST(Escape, SequencesNeverReachStdout) {
  const std::string hostile =
      "\x1B]0;title\x07\x1B]52;c;bHM=\x07\x1B[2J\x1B"
      "c\x9B"
      "31m\u009B2J\r\b\x7F\x0E";
  Program server = local_server();
  net::Socket stranger = stranger_to(server);
  stranger.sendall(hostile);
  server.wait_for_out("input data:");
  ServedClient served;
  served.client.type("hello\n");
  EXPECT_EQ(served.server.recv(1024), "hello");
  served.server.sendall(hostile);
  served.client.wait_for_out("\ninput data:");
  const std::string shown =
      "\uFFFD]0;title\uFFFD\uFFFD]52;c;bHM=\uFFFD\uFFFD["
      "2J\uFFFDc\uFFFD31m\uFFFD2J\uFFFD\uFFFD\uFFFD\uFFFD";
  EXPECT_EQ(server.out, WAIT + "Received message: " + shown + "\ninput data:");
  EXPECT_EQ(served.client.out, "input data:" + shown + "\ninput data:");
}

// Given one turn with a program: after 20,000 of them it takes no more memory than after 10,000.
void expect_no_growth(Program& program, const std::function<void()>& turn) {
  long early = 0;
  for (int i = 1; i <= 20000; ++i) {
    turn();
    program.out.clear();
    if (i == 10000) early = program.resident();
  }
  EXPECT_GT(early, 0);
  EXPECT_LE(program.resident(), early + 64) << "KiB";
}

TEST(Memory, OfTheServerDoesNotGrowOver20000Turns) {
  Program server = local_server();
  net::Socket stranger = stranger_to(server);
  expect_no_growth(server, [&] {
    stranger.sendall("question");
    server.type("answer\n");
    EXPECT_EQ(stranger.recv(1024), "answer");
  });
}

TEST(Memory, OfTheClientDoesNotGrowOver20000Turns) {
  ServedClient served;
  expect_no_growth(served.client, [&] {
    served.client.type("question\n");
    EXPECT_EQ(served.server.recv(1024), "question");
    served.server.sendall("answer");
  });
}

}  // namespace
