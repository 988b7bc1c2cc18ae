// net::TextDecoder and net::printable: what arrives as bytes, shown as text.
#include <gtest/gtest.h>

#include <array>

#include "support.hpp"

namespace {

const std::string R = "\uFFFD";

std::string decoded(std::string_view bytes) { return net::TextDecoder().decode(bytes); }

TEST(TextDecoder, LeavesWellFormedTextAsItIs) {
  const std::string text = "hello, 你好, é, 😀, \uFFFD, \U0010FFFF" + std::string("\0\t\n", 3);
  EXPECT_EQ(decoded(text), text);
  EXPECT_EQ(decoded(""), "");
}

TEST(TextDecoder, KeepsTheByteOrderMark) { EXPECT_EQ(decoded("\uFEFFtext"), "\uFEFFtext"); }

TEST(TextDecoder, KeepsAnUnfinishedCharacterForTheNextPiece) {
  net::TextDecoder decoder;
  EXPECT_EQ(decoder.decode("a\xE4"), "a");
  EXPECT_EQ(decoder.decode("\xBD"), "");
  EXPECT_EQ(decoder.decode(""), "");
  EXPECT_EQ(decoder.decode("\xA0"
                           "b"),
            "你b");
}

TEST(TextDecoder, DecodesByteByByteWhatItDecodesAtOnce) {
  const std::string text = "你好 😀 é a";
  net::TextDecoder decoder;
  std::string joined;
  for (const char byte : text) joined += decoder.decode({&byte, 1});
  EXPECT_EQ(joined, text);
}

TEST(TextDecoder, KeepsAnUnfinishedCharacterToItself) {
  net::TextDecoder one, other;
  EXPECT_EQ(one.decode("\xE4\xBD"), "");
  EXPECT_EQ(other.decode("\xA0"), R);
  EXPECT_EQ(one.decode("\xA0"), "你");
}

struct Row {
  std::string bytes, text;
};

// The Unicode Standard, section 3.9: tables 3-8 to 3-11, and the design's own cases.
TEST(TextDecoder, ReplacesEachMaximalSubpart) {
  const Row rows[] = {
      {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", repeat(R, 8) + "A"},  // 3-8: not shortest
      {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", repeat(R, 8) + "A"},  // 3-9: surrogates
      {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", repeat(R, 5) + "A" + R + R + "B"},  // 3-10: others
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", repeat(R, 4) + "A"},  // 3-11: truncated
      {"\xF0\x80\x80\x41", R + R + R + "A"},
      {"\xED\xA0\x80", R + R + R},
      {"\xC0\xAF", R + R},
      {"\xE1\x80\xE2", R},
      {"\xC2\x41", R + "A"},
      {"\xF4\x90\x80\x80", repeat(R, 4)},
      {"\xF5\x80\x80\x80", repeat(R, 4)},
  };
  for (const Row& row : rows)
    EXPECT_EQ(decoded(row.bytes), row.text) << testing::PrintToString(row.bytes);
}

// A second decoder, written differently: the rows of the Unicode Standard's table 3-7, each byte's
// range of a well-formed sequence.
struct Form {
  std::size_t length;
  std::array<std::array<unsigned char, 2>, 4> ranges;
};
constexpr Form FORMS[] = {
    {1, {{{0x00, 0x7F}}}},
    {2, {{{0xC2, 0xDF}, {0x80, 0xBF}}}},
    {3, {{{0xE0, 0xE0}, {0xA0, 0xBF}, {0x80, 0xBF}}}},
    {3, {{{0xE1, 0xEC}, {0x80, 0xBF}, {0x80, 0xBF}}}},
    {3, {{{0xED, 0xED}, {0x80, 0x9F}, {0x80, 0xBF}}}},
    {3, {{{0xEE, 0xEF}, {0x80, 0xBF}, {0x80, 0xBF}}}},
    {4, {{{0xF0, 0xF0}, {0x90, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}}}},
    {4, {{{0xF1, 0xF3}, {0x80, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}}}},
    {4, {{{0xF4, 0xF4}, {0x80, 0x8F}, {0x80, 0xBF}, {0x80, 0xBF}}}},
};

// The form that the front of the bytes follows the furthest, and how far.
std::pair<const Form*, std::size_t> best_form(std::string_view bytes) {
  std::pair<const Form*, std::size_t> best{nullptr, 0};
  for (const Form& form : FORMS) {
    std::size_t length = 0;
    while (length < form.length && length < bytes.size() &&
           static_cast<unsigned char>(bytes[length]) >= form.ranges[length][0] &&
           static_cast<unsigned char>(bytes[length]) <= form.ranges[length][1])
      ++length;
    if (length > best.second) best = {&form, length};
  }
  return best;
}

std::string decoded_by_table(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const auto [form, length] = best_form(bytes);
    if (form && length == form->length)
      text += bytes.substr(0, length);
    else if (form && length == bytes.size())
      break;  // unfinished at the end
    else
      text += R;
    bytes.remove_prefix(form ? length : 1);
  }
  return text;
}

TEST(TextDecoder, AgreesWithTheTableOnEverySequenceOfBoundaryBytesHoweverCut) {
  const std::string boundary =
      std::string("\0", 1) +
      "\x09\x0A\x1B\x20\x41\x7E\x7F\x80\x8F\x90\x9F\xA0\xBF\xC0\xC1\xC2\xDF\xE0\xE1\xEC\xED\xEE\xEF"
      "\xF0\xF1\xF3\xF4\xF5\xFF";
  ASSERT_EQ(boundary.size(), 30u);
  std::size_t wrong = 0, tried = 0;
  const std::function<void(std::string)> try_all_from = [&](std::string bytes) {
    const std::string expected = decoded_by_table(bytes);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut, ++tried) {
      net::TextDecoder decoder;
      std::string text = decoder.decode(std::string_view(bytes).substr(0, cut));
      text += decoder.decode(std::string_view(bytes).substr(cut));
      if (text != expected && ++wrong < 10)
        ADD_FAILURE() << testing::PrintToString(bytes) << " cut at " << cut;
    }
    if (bytes.size() == 4) return;
    for (const char next : boundary) try_all_from(bytes + next);
  };
  try_all_from("");
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(tried, 30u * 1 + 900u * 2 + 27000u * 3 + 810000u * 4);
}

TEST(Printable, LeavesTextAsItIs) {
  const std::string text = "hello\t你好\né 😀 \u00A0\u00FF Â";
  EXPECT_EQ(net::printable(text), text);
  EXPECT_EQ(net::printable(""), "");
}

TEST(Printable, ReplacesEachControlCharacterUpToU00FF) {
  for (int code_point = 0; code_point <= 0xFF; ++code_point) {
    const std::string text = code_point < 0x80
                                 ? std::string(1, static_cast<char>(code_point))
                                 : std::string{static_cast<char>(0xC0 | code_point >> 6),
                                               static_cast<char>(0x80 | (code_point & 0x3F))};
    const bool control = (code_point < 0x20 && code_point != '\t' && code_point != '\n') ||
                         (code_point >= 0x7F && code_point <= 0x9F);
    EXPECT_EQ(net::printable("a" + text + "b"), "a" + (control ? R : text) + "b") << code_point;
    EXPECT_EQ(net::printable(text), control ? R : text) << code_point;
  }
}

// In these, 80 to 9F are the end of an ordinary character.
TEST(Printable, LeavesTheBytesOfOtherCharactersAlone) {
  for (const std::string text : {"\u0100\u011F\u0400\u041F\u4F60\u20AC\U0001F600", "\u00C2\u00C2"})
    EXPECT_EQ(net::printable(text), text);
}

// These are no UTF-8 text, which is what it is given; nothing may be lost all the same.
TEST(Printable, LosesNothingOfMalformedText) {
  EXPECT_EQ(net::printable("\xC2"
                           "A"),
            "\xC2"
            "A");
  EXPECT_EQ(net::printable("\xC2\x7F"), "\xC2" + R);
  EXPECT_EQ(net::printable("\x9F"), "\x9F");
}

TEST(Printable, DisarmsEscapeSequences) {
  EXPECT_EQ(net::printable("\x1B]0;title\x07"), R + "]0;title" + R);
  EXPECT_EQ(net::printable("\x1B]52;c;bHM=\x07"), R + "]52;c;bHM=" + R);
  EXPECT_EQ(net::printable("\x1B[2J\x1B[H"), R + "[2J" + R + "[H");
  EXPECT_EQ(net::printable("\u009B2J"), R + "2J");
}

}  // namespace
