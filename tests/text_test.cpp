// From bytes to the screen and from the keyboard: net::TextDecoder, net::print and net::input.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "support.hpp"

namespace {

const std::string R = "\uFFFD";  // what malformed bytes and control characters become

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
      {"\xE1\x80\xE2", R},
  };
  for (const auto& [bytes, text] : rows)
    EXPECT_EQ(decoded(bytes), text) << testing::PrintToString(bytes);
}

// Each first byte with the lowest and the highest second byte that may follow it, and with the two
// just outside (the Unicode Standard, table 3-7); whole, and split anywhere.
TEST(TextDecoder, KnowsTheRangeOfEachSecondByte) {
  const auto expect = [](const std::string& bytes, const std::string& text) {
    for (std::size_t at = 0; at <= bytes.size(); ++at) {
      net::TextDecoder decoder;
      std::string seen = decoder.decode(bytes.substr(0, at));
      seen += decoder.decode(bytes.substr(at));
      EXPECT_EQ(seen, text) << testing::PrintToString(bytes) << " split at " << at;
    }
  };
  for (int first = 0xC2; first <= 0xF4; ++first) {
    const int lowest = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const int highest = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    const std::string rest = first < 0xE0 ? "" : first < 0xF0 ? "\x80" : "\xBF\x80";
    const auto bytes = [&](int second) {
      return std::string{static_cast<char>(first), static_cast<char>(second)} + rest + "!";
    };
    const std::string continued = repeat(R, 1 + rest.size());
    expect(bytes(lowest), bytes(lowest));
    expect(bytes(highest), bytes(highest));
    expect(bytes(lowest - 1), R + (lowest == 0x80 ? "\x7F" : R) + repeat(R, rest.size()) + "!");
    expect(bytes(highest + 1), R + continued + "!");
  }
  for (const char* none : {"\x80", "\xBF", "\xC0", "\xC1", "\xF5", "\xFF"})
    expect(none + std::string("!"), R + "!");
}

// If the time grew with the square of the length, this would take minutes.
TEST(TextDecoder, DecodesMebibytesOfMalformedBytes) {
  expect_to_end([] {
    EXPECT_TRUE(same(decoded(std::string(1 << 21, '\xFF')), repeat(R, 1 << 21)));
    EXPECT_TRUE(same(decoded(repeat("\xE4\xBD", 1 << 20)), repeat(R, (1 << 20) - 1)));
  });
}

// What print shows of these texts; in a child, because stdout belongs to the whole process.
std::string printed(const std::vector<std::string_view>& texts) {
  Program printer = child([&] {
    for (const std::string_view text : texts) net::print(text);
  });
  EXPECT_TRUE(printer.ends_with(0));
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

TEST(Input, ReturnsEachLineAsTypedWithoutItsNewlineAndAtTheEndAnEmptyOne) {
  Program reader = child([] {
    for (int i = 0; i < 7; ++i) {
      const std::string line = "[" + net::input("> ") + "]";
      std::fwrite(line.data(), 1, line.size(), stderr);
    }
  });
  reader.type(std::string("one\n\n \t two \nthree\r\na\0\xFF\nlast", 28));
  reader.end_input();
  EXPECT_TRUE(reader.ends_with(0));
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
  EXPECT_TRUE(reader.ends_with(0));
}

// The pipe is nearly always full, so the alarms hit blocked writes.
TEST(Print, ContinuesWhereAShortOrInterruptedWriteStopped) {
  const std::string text = repeat("汉字", 1 << 18);
  Program writer = child([&] {
    const SignalStorm storm;
    while (SignalStorm::ticks < 50) net::print(text + "\x1B");
  });
  EXPECT_TRUE(writer.ends_with(0));
  const std::string shown = text + R + "\n";
  EXPECT_TRUE(same(writer.out, repeat(shown, writer.out.size() / shown.size())));
}

TEST(PrintAndInput, ReportAStdoutThatIsFullOrClosedOrFailsInTheMiddle) {
  const std::string text(1 << 20, 'x');
  for (const int error : {ENOSPC, EBADF, EAGAIN}) {
    Program writer = child([&] {
      if (error == ENOSPC) ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO);
      if (error == EBADF) ::close(STDOUT_FILENO);
      if (error == EAGAIN) {  // a pipe that nobody reads, and that fills up before the end
        int ends[2];
        ASSERT_EQ(::pipe2(ends, O_NONBLOCK), 0);
        ::dup2(ends[1], STDOUT_FILENO);
      }
      expect_error([&] { net::print(text); }, error, "stdout");
      expect_error([&] { net::input(text); }, error, "stdout");
    });
    EXPECT_TRUE(writer.ends_with(0));
  }
}

}  // namespace
