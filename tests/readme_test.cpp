// What README.md quotes is the code as it stands, in both languages, and the tests that it names
// exist. The programs call what the post's scripts call, in the same order.
#include <fnmatch.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>

#include "support.hpp"

namespace {

using Strings = std::vector<std::string>;

std::string contents(const std::string& name) {
  std::ostringstream text;
  text << std::ifstream(name).rdbuf();
  EXPECT_NE(text.str(), "") << name;
  return text.str();
}

// README's English half and its Chinese half.
Strings halves() {
  const std::string readme = contents("README.md");
  const std::size_t middle = readme.find("\n## 中文\n");
  return {readme.substr(0, middle), readme.substr(middle)};
}

// Whatever the pattern's parentheses match in the text, in order.
Strings matches(const std::string& text, const std::string& pattern) {
  Strings found;
  const std::regex regex(pattern);
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match)
    found.push_back(match->str(1));
  return found;
}

Strings quotes(const std::string& text) { return matches(text, "\n```cpp\n([^`]*)```"); }

TEST(Readme, QuotesTheSourcesToTheLetterAndTheSameInBothLanguages) {
  const Strings english = quotes(halves()[0]);
  EXPECT_EQ(english.size(), 6u);
  EXPECT_EQ(quotes(halves()[1]), english);
  Strings sources;
  for (const char* name : {"server.cpp", "client.cpp", "net.hpp", "net.cpp"})
    sources.push_back('\n' + contents(name));
  for (const std::string& quote : english)
    EXPECT_TRUE(std::any_of(sources.begin(), sources.end(), [&](const std::string& source) {
      return source.find('\n' + quote) != std::string::npos;
    })) << quote;
}

TEST(Readme, NamesTestsThatExistAndTheSameInBothLanguages) {
  const std::string filter = "--gtest_filter='?([A-Za-z.*]+)";
  const Strings english = matches(halves()[0], filter);
  EXPECT_GE(english.size(), 4u);
  EXPECT_EQ(matches(halves()[1], filter), english);
  Strings names;
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *all.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j)
      names.push_back(std::string(suite.name()) + '.' + suite.GetTestInfo(j)->name());
  }
  for (const std::string& pattern : english)
    EXPECT_TRUE(std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
    })) << pattern;
}

TEST(Programs, CallWhatTheScriptsCallInTheirOrder) {
  const std::string calls =
      "\\b(Socket|setsockopt|bind|listen|accept|connect|recv|decode|print|input|sendall|close|"
      "gethostname|gethostbyname)( [a-z]+)?\\(";
  EXPECT_EQ(matches(contents("server.cpp"), calls),
            Strings({"Socket", "setsockopt", "bind", "listen", "print", "accept", "recv", "decode",
                     "print", "input", "sendall", "close", "gethostname", "gethostbyname"}));
  EXPECT_EQ(matches(contents("client.cpp"), calls),
            Strings({"Socket", "connect", "input", "sendall", "recv", "print", "decode", "close"}));
}

}  // namespace
