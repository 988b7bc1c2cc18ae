// The lines that README.md quotes stand in the source.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "support.hpp"

namespace {

std::string read_file(const std::string& name) {
  std::ostringstream text;
  text << std::ifstream(name).rdbuf();
  return text.str();
}

// What stands between `heading` and the next heading.
std::string section(const std::string& readme, const std::string& heading) {
  const std::size_t begin = readme.find("\n" + heading + "\n");
  if (begin == std::string::npos) return "";
  return readme.substr(begin + 1, readme.find("\n#", begin + 1) - begin);
}

// Given a section with a table: the code in its column (from 1), row by row.
std::vector<std::string> quoted(const std::string& text, int column) {
  std::vector<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream cells(line);
    std::string cell;
    for (int i = 0; i <= column; ++i) std::getline(cells, cell, '|');
    const std::size_t begin = cell.find('`'), end = cell.rfind('`');
    if (line[0] == '|' && begin < end) found.push_back(cell.substr(begin + 1, end - begin - 1));
  }
  return found;
}

void expect_quotes(const std::string& heading, int column, const std::string& file) {
  const std::vector<std::string> quotes = quoted(section(read_file("README.md"), heading), column);
  EXPECT_FALSE(quotes.empty()) << "no such table: " << heading;
  const std::string source = read_file(file);
  for (const std::string& quote : quotes)
    EXPECT_NE(source.find(quote), std::string::npos) << file << " no longer has: " << quote;
}

TEST(Readme, QuotesTheServerAsItStands) { expect_quotes("### server.cpp", 2, "server.cpp"); }

TEST(Readme, QuotesTheClientAsItStands) { expect_quotes("### client.cpp", 2, "client.cpp"); }

TEST(Readme, QuotesTheHeaderAsItStands) { expect_quotes("## 5. The nine calls", 3, "net.hpp"); }

}  // namespace
