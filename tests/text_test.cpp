// From bytes to the screen and from the keyboard: net::TextDecoder, net::print and net::input.
#include <fcntl.h>
#include <gtest/gtest.h>
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
    std::size_t best = 0, needed = 1;  // the form that the front follows the furthest
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

// If the time grew with the square of the length, the watchdog would end this.
TEST(TextDecoder, DecodesMebibytesOfMalformedBytes) {
  EXPECT_TRUE(decoded(std::string(1 << 23, '\xFF')) == repeat(R, 1 << 23));
  EXPECT_TRUE(decoded(repeat("\xE4\xBD", 1 << 22)) == repeat(R, (1 << 22) - 1));
}

// What print shows of these texts, in a child process, because stdout belongs to the process.
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

// The bar bypasses stdio's buffer, so it shows what had left the process before.
void write_a_bar() { EXPECT_EQ(::write(STDOUT_FILENO, "|", 1), 1); }

TEST(Print, ShowsItsTextTogetherWithTheNextPromptOrAtOnceIfFlushed) {
  Program printer = child(
      [] {
        // A fresh stdout: the tests' own has its buffer already.
        if (!std::freopen("/dev/tty", "w", stdout)) std::exit(2);
        net::print("message");
        write_a_bar();
        net::input("prompt:");
        net::print("flushed", true);
        write_a_bar();
      },
      Program::On::terminal);
  printer.wait_for_out("|message\r\nprompt:");
  printer.type("\r");
  EXPECT_EQ(printer.wait(), 0);
  EXPECT_EQ(printer.out, "|message\r\nprompt:\r\nflushed\r\n|");
}

TEST(Input, ReturnsEachLineAsTypedWithoutItsNewlineAndAtTheEndAnEmptyOne) {
  Program reader = child([] {
    for (int i = 0; i < 7; ++i) {
      const std::string line = "[" + net::input("> ") + "]";
      std::fwrite(line.data(), 1, line.size(), stderr);
    }
    write_a_bar();
  });
  reader.type(std::string("one\n\n \t two \nthree\r\na\0b\nlast", 28));
  reader.end_input();
  EXPECT_EQ(reader.wait(), 0);
  EXPECT_EQ(reader.err, std::string("[one][][ \t two ][three\r][a\0b][last][]", 37));
  EXPECT_EQ(reader.out, "> > > > > > > \n|");
}

// What could be read before the error is no line.
TEST(Input, ReportsAStdinThatFailsInTheMiddleOfALine) {
  Program reader = child([] {
    int ends[2];
    if (::pipe2(ends, O_NONBLOCK) == -1 || ::write(ends[1], "half", 4) != 4) std::exit(2);
    ::dup2(ends[0], STDIN_FILENO);
    expect_error([] { net::input("prompt:"); }, EAGAIN, "stdin");
  });
  EXPECT_EQ(reader.wait(), 0);
}

TEST(PrintAndInput, ReportAStdoutThatIsFull) {
  const std::function<void()> cases[] = {
      [] { net::input("prompt:"); }, [] { net::print("flushed", true); },
      [] { net::print(std::string(1 << 16, 'x')); }, [] { net::print(repeat("\x1B", 1 << 16)); },
      // After the first newline, the text fills stdio's buffer, and its newline is one too many.
      [] { net::print(""), net::print(std::string(4095, 'x')); }};
  for (const auto& call : cases) {
    SCOPED_TRACE(&call - cases);
    Program full = child([&] {
      if (!std::freopen("/dev/full", "w", stdout)) std::exit(2);
      expect_error(call, ENOSPC, "stdout");
    });
    EXPECT_EQ(full.wait(), 0);
  }
}

}  // namespace
