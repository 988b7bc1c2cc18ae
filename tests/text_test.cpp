// From bytes to the screen and from the keyboard: net::TextDecoder, net::print and net::input.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "support.hpp"

namespace {

using namespace std::literals;

const std::string& R = REPLACED;

std::string decoded(std::string_view bytes) { return net::TextDecoder().decode(bytes); }

TEST(TextDecoder, LeavesWellFormedTextAsItIs) {
  const std::string text = "hello, 你好, é, 😀, \uFFFD, \U0010FFFF" + std::string("\0\t\n", 3);
  EXPECT_EQ(decoded(text), text);
  EXPECT_EQ(decoded("\uFEFFtext"), "\uFEFFtext") << "the byte order mark stays";
}

TEST(TextDecoder, KeepsAnIncompleteCharacterToItselfForTheNextPiece) {
  net::TextDecoder one, other;
  EXPECT_EQ(one.decode("a\xE4"), "a");
  EXPECT_EQ(one.decode("\xBD"), "");
  EXPECT_EQ(one.decode(""), "");
  EXPECT_EQ(other.decode("\xA0"), R);
  EXPECT_EQ(one.decode("\xA0!"), "你!");
}

// The Unicode Standard, section 3.9: tables 3-8 to 3-11, and some cases of our own.
TEST(TextDecoder, ReplacesEachMaximalSubpart) {
  const std::pair<std::string, std::string> rows[] = {
      {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", repeat(R, 8) + "A"},  // 3-8: not shortest
      {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", repeat(R, 8) + "A"},  // 3-9: surrogates
      {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", repeat(R, 5) + "A" + R + R + "B"},  // 3-10: others
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", repeat(R, 4) + "A"},  // 3-11: truncated
      {"\xF0\x80\x80\x41", R + R + R + "A"},
      {"\xED\xA0\x80", R + R + R},
      {"\xC0\xAF", R + R},
      {"\xE1\x80\xE2", R},
  };
  for (const auto& [bytes, text] : rows)
    EXPECT_EQ(decoded(bytes), text) << testing::PrintToString(bytes);
}

// The rows of the Unicode Standard's table 3-7: the first and the last value of each byte.
constexpr std::string_view FORMS[] = {"\0\x7F"sv,
                                      "\xC2\xDF\x80\xBF",
                                      "\xE0\xE0\xA0\xBF\x80\xBF",
                                      "\xE1\xEC\x80\xBF\x80\xBF",
                                      "\xED\xED\x80\x9F\x80\xBF",
                                      "\xEE\xEF\x80\xBF\x80\xBF",
                                      "\xF0\xF0\x90\xBF\x80\xBF\x80\xBF",
                                      "\xF1\xF3\x80\xBF\x80\xBF\x80\xBF",
                                      "\xF4\xF4\x80\x8F\x80\xBF\x80\xBF"};

// A second decoder, written differently.
std::string decoded_by_table(std::string_view bytes) {
  const auto value = [](char byte) { return static_cast<unsigned char>(byte); };
  std::string text;
  while (!bytes.empty()) {
    std::size_t best = 0, needed = 1;  // the form that the bytes follow furthest
    for (const std::string_view form : FORMS) {
      std::size_t i = 0;
      while (i < form.size() / 2 && i < bytes.size() && value(bytes[i]) >= value(form[2 * i]) &&
             value(bytes[i]) <= value(form[2 * i + 1]))
        ++i;
      if (i > best) best = i, needed = form.size() / 2;
    }
    if (best < needed && best == bytes.size()) break;  // incomplete at the end
    text += best == needed ? bytes.substr(0, best) : R;
    bytes.remove_prefix(best == 0 ? 1 : best);
  }
  return text;
}

TEST(TextDecoder, AgreesWithTheTableOnEverySequenceOfBoundaryBytesHoweverSplit) {
  const std::string boundary =
      std::string("\0", 1) +
      "\x09\x0A\x1B\x20\x41\x7E\x7F\x80\x8F\x90\x9F\xA0\xBF\xC0\xC1\xC2\xDF\xE0\xE1\xEC\xED\xEE\xEF"
      "\xF0\xF1\xF3\xF4\xF5\xFF";
  std::size_t wrong = 0, tried = 0;
  const std::function<void(const std::string&)> try_all_from = [&](const std::string& bytes) {
    const std::string expected = decoded_by_table(bytes);
    for (std::size_t at = 0; at < bytes.size(); ++at, ++tried) {
      net::TextDecoder decoder;
      std::string text = decoder.decode(std::string_view(bytes).substr(0, at));
      text += decoder.decode(std::string_view(bytes).substr(at));
      if (text != expected && ++wrong < 10)
        ADD_FAILURE() << testing::PrintToString(bytes) << " split at " << at;
    }
    if (bytes.size() == 4) return;
    for (const char next : boundary) try_all_from(bytes + next);
  };
  try_all_from("");
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(tried, 30u * 1 + 900u * 2 + 27000u * 3 + 810000u * 4);
}

// If the time grew with the square of the length, this would take many minutes.
TEST(TextDecoder, DecodesMebibytesOfMalformedBytes) {
  EXPECT_TRUE(decoded(std::string(1 << 23, '\xFF')) == repeat(R, 1 << 23));
  EXPECT_TRUE(decoded(repeat("\xE4\xBD", 1 << 22)) == repeat(R, (1 << 22) - 1));
}

TEST(TextDecoder, ForgetsWhatItHasDecoded) {
  net::TextDecoder decoder;
  const std::string piece(1 << 20, 'x');
  decoder.decode(piece);
  const std::size_t before = allocated();
  for (int i = 0; i < 8; ++i) decoder.decode(piece);
  EXPECT_LT(allocated(), before + piece.size());
}

// What print shows of these texts; in a child, because stdout belongs to the whole process.
std::string printed(const std::vector<std::string_view>& texts) {
  Program printer = child([&] {
    for (const std::string_view text : texts) net::print(text);
  });
  EXPECT_EQ(printer.wait(), 0) << printer.err;
  return printer.out;
}

TEST(Print, ReplacesEachControlCharacterButTabAndNewline) {
  std::vector<std::string> texts;
  std::string expected;
  for (int code_point = 0; code_point <= 0xFF; ++code_point) {
    const std::string text = code_point < 0x80
                                 ? std::string(1, static_cast<char>(code_point))
                                 : std::string{static_cast<char>(0xC0 | code_point >> 6),
                                               static_cast<char>(0x80 | (code_point & 0x3F))};
    const bool control = (code_point < 0x20 && code_point != '\t' && code_point != '\n') ||
                         (code_point >= 0x7F && code_point <= 0x9F);
    const std::string shown = control ? R : text;
    texts.insert(texts.end(), {text, "a" + text + text + "b"});
    expected += shown + "\na" + shown + shown + "b\n";
  }
  EXPECT_EQ(printed({texts.begin(), texts.end()}), expected);
}

TEST(Print, LeavesOtherTextAsItIs) {
  const std::string_view ends_early = std::string_view("\xC2\x9B").substr(0, 1);
  EXPECT_EQ(
      printed({"", "你好\té 😀\n", "\u0100\u011F\u0400\u041F\u4F60\u20AC\U0001F600\u00C2\u00A0",
               "\x9F", ends_early, "\xC2", "\xC2z"}),
      "\n你好\té 😀\n\n\u0100\u011F\u0400\u041F\u4F60\u20AC\U0001F600\u00C2\u00A0\n"
      "\x9F\n\xC2\n\xC2\n\xC2z\n");
}

// A pipe of packets keeps separate writes apart.
TEST(PrintAndInput, WriteAtOnceAndOnceEach) {
  Program writer = child(
      [] {
        net::print("message");
        net::input("prompt:");
        net::print("");
      },
      Program::On::packets);
  writer.wait_for_out("message\nprompt:");
  writer.type("\n");
  EXPECT_EQ(writer.wait(), 0);
  EXPECT_EQ(writer.out, "message\nprompt:\n");
  EXPECT_EQ(writer.out_pieces, 3);
}

TEST(Input, ReturnsEachLineAsTypedWithoutItsNewlineAndAtTheEndAnEmptyOne) {
  Program reader = child([] {
    for (int i = 0; i < 7; ++i) {
      const std::string line = "[" + net::input("> ") + "]";
      std::fwrite(line.data(), 1, line.size(), stderr);
    }
  });
  reader.type(std::string("one\n\n \t two \nthree\r\na\0\xFF\nlast", 28));
  reader.end_input();
  EXPECT_EQ(reader.wait(), 0);
  EXPECT_EQ(reader.err, std::string("[one][][ \t two ][three\r][a\0\xFF][last][]", 37));
  EXPECT_EQ(reader.out, "> > > > > > > \n");
}

// What could be read before the error is not a line.
TEST(Input, ReportsAStdinThatFailsInTheMiddleOfALine) {
  Program reader = child([] {
    int ends[2];
    if (::pipe2(ends, O_NONBLOCK) == -1 || ::write(ends[1], "half", 4) != 4) std::exit(2);
    ::dup2(ends[0], STDIN_FILENO);
    expect_error([] { net::input("prompt:"); }, EAGAIN, "stdin");
  });
  EXPECT_EQ(reader.wait(), 0);
}

volatile sig_atomic_t alarms = 0;

void handle_alarm_every_millisecond() {
  struct sigaction action = {};
  action.sa_handler = [](int) { alarms = alarms + 1; };  // without SA_RESTART
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval every{{0, 1000}, {0, 1000}};
  ::setitimer(ITIMER_REAL, &every, nullptr);
}

// Python's input runs the handler and goes on; ours leaves that to its caller.
TEST(Input, ReportsAnInterruption) {
  Program reader = child([] {
    handle_alarm_every_millisecond();
    expect_error([] { net::input("prompt:"); }, EINTR, "stdin");
  });
  EXPECT_EQ(reader.wait(), 0) << reader.err;
}

// The pipe is nearly always full, so the alarms hit blocked writes.
TEST(Print, ContinuesWhereAShortOrInterruptedWriteStopped) {
  const std::string text = repeat("汉字", 1 << 18);
  Program writer = child([&] {
    handle_alarm_every_millisecond();
    while (alarms < 50) net::print(text);
  });
  EXPECT_EQ(writer.wait(), 0) << writer.err;
  EXPECT_TRUE(writer.out == repeat(text + "\n", writer.out.size() / (text.size() + 1)));
}

TEST(PrintAndInput, ReportAStdoutThatIsFullOrClosedOrFailsInTheMiddle) {
  const auto put = [](int fd) { ::dup2(fd, STDOUT_FILENO), ::close(fd); };
  const std::function<int()> outputs[] = {
      [&] { return put(::open("/dev/full", O_WRONLY)), ENOSPC; },
      [&] { return ::close(STDOUT_FILENO), EBADF; },
      [&] {  // a pipe that nobody reads, and that fills up before the end
        int ends[2];
        if (::pipe2(ends, O_NONBLOCK) == -1) std::exit(2);
        return put(ends[1]), EAGAIN;
      }};
  for (const auto& prepare : outputs) {
    for (const auto& call : std::initializer_list<void (*)(const std::string&)>{
             [](const std::string& text) { net::print(text); },
             [](const std::string& text) { net::input(text); }}) {
      Program writer = child([&] {
        const int error = prepare();
        expect_error([&] { call(std::string(1 << 20, 'x')); }, error, "stdout");
      });
      EXPECT_EQ(writer.wait(), 0) << writer.err;
    }
  }
}

}  // namespace
