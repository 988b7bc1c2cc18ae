// What README.md says of the project holds: its quotes are the code as it stands, the tests that it
// names exist, its edits can be made, and its two languages agree.
#include <fnmatch.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <regex>

#include "support.hpp"

namespace {

using Strings = std::vector<std::string>;

const Strings SOURCES = {"server.cpp", "client.cpp", "net.hpp", "net.cpp"};

// What the pattern's parentheses match in README.md's English half (0) or its Chinese half (1).
Strings found(int half, const std::string& pattern) {
  const std::string readme = contents("README.md");
  const std::size_t middle = readme.find("\n## 中文\n");
  const std::string text = half == 0 ? readme.substr(0, middle) : readme.substr(middle);
  const std::regex regex(pattern);
  Strings matches;
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match)
    matches.push_back(match->str(1));
  return matches;
}

// The same in both halves, and some.
Strings found_in_both(const std::string& pattern) {
  const Strings english = found(0, pattern), chinese = found(1, pattern);
  EXPECT_NE(english, Strings{}) << "README.md has nothing like " << pattern;
  const auto [here, there] =
      std::mismatch(english.begin(), english.end(), chinese.begin(), chinese.end());
  EXPECT_TRUE(english == chinese)
      << "README.md has this in one half only, or at another place; let its halves say the same. "
      << "(A block of your own begins with ```c++.)\n"
      << (here != english.end() ? *here : *there);
  return english;
}

// Where most of the block's lines still stand.
std::string nearest_source(const std::string& block) {
  std::pair<std::size_t, std::string> best;
  for (const std::string& source : SOURCES) {
    const std::string text = contents(source);
    std::istringstream lines(block);
    std::size_t bytes = 0;
    for (std::string line; std::getline(lines, line);)
      if (text.find(line + "\n") != std::string::npos) bytes += line.size();
    best = std::max(best, {bytes, source});
  }
  return best.second;
}

TEST(Readme, QuotesTheSourcesToTheLetterAndTheSameInBothLanguages) {
  for (const std::string& block : found_in_both("\n```cpp\n([^`]*)```")) {
    const bool quoted = std::any_of(SOURCES.begin(), SOURCES.end(), [&](const std::string& source) {
      return ('\n' + contents(source)).find('\n' + block) != std::string::npos;
    });
    EXPECT_TRUE(quoted) << "README.md quotes this, in both halves, but no source has it any more. "
                        << nearest_source(block) << " comes nearest: copy its new lines into "
                        << "README.md. (A block of your own begins with ```c++.)\n"
                        << block;
  }
}

TEST(Readme, NamesTestsThatExistAndTheSameInBothLanguages) {
  Strings names;
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i)
    for (int j = 0; j < all.GetTestSuite(i)->total_test_count(); ++j)
      names.push_back(all.GetTestSuite(i)->name() + std::string(".") +
                      all.GetTestSuite(i)->GetTestInfo(j)->name());
  names.push_back("Lines.");  // exist once the reader has written lines.hpp
  for (const std::string& filter : found_in_both("GTEST_FILTER='?([A-Za-z.*]+)"))
    EXPECT_TRUE(std::any_of(
        names.begin(), names.end(),
        [&](const std::string& name) { return ::fnmatch(filter.c_str(), name.c_str(), 0) == 0; }))
        << "README.md names the tests " << filter
        << ", in both halves, but tests/ has none of that name.";
}

// Each edit is made in a copy, which must then differ and still be a program.
TEST(Readme, EditsWhatIsThereAndLeavesWhatBuilds) {
  char copy[] = "/tmp/readme_test.XXXXXX";
  ASSERT_NE(::mkdtemp(copy), nullptr);
  const std::string in = std::string("cd '") + copy + "' && ";
  EXPECT_EQ(std::system(("cp *.cpp *.hpp " + std::string(copy)).c_str()), 0);
  for (const std::string& edit : found_in_both("(sed -i (?:'[^']*'|[^ ]+) [a-z]+\\.[ch]pp)")) {
    const std::string file = edit.substr(edit.rfind(' ') + 1), old = contents(file);
    EXPECT_EQ(std::system((in + edit).c_str()), 0) << edit;
    EXPECT_NE(contents(copy + ('/' + file)), old)
        << "README.md says in both halves: " << edit << "\nbut this no longer changes " << file;
    const std::string build = in + "${CXX:-c++} -std=c++17 -fsyntax-only " + file;
    EXPECT_EQ(std::system(build.c_str()), 0) << "what this leaves does not compile: " << edit;
    std::ofstream(copy + ('/' + file)) << old;
  }
  EXPECT_EQ(std::system(("rm -r '" + std::string(copy) + "'").c_str()), 0);
}

}  // namespace
