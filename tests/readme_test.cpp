// Checks that the code that README.md quotes, in both languages, is the code as it stands.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "support.hpp"

namespace {

std::vector<std::string> lines_of(const std::string& name) {
  std::ifstream file(name);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  EXPECT_FALSE(lines.empty()) << name;
  return lines;
}

// The lines of a program that a table has to quote: all but comments, blank lines and braces alone.
std::vector<std::string> code_of(const std::string& name) {
  std::vector<std::string> code;
  for (std::string line : lines_of(name)) {
    line.erase(0, line.find_first_not_of(' '));
    if (line.rfind("//", 0) == 0) continue;
    line = line.substr(0, line.find("  //"));
    if (!line.empty() && line != "}") code.push_back(line);
  }
  return code;
}

// A table row's cells. In a cell, \| stands for |.
std::vector<std::string> cells_of(const std::string& row) {
  std::vector<std::string> cells(1);
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i] == '\\' && row[i + 1] == '|')
      cells.back() += row[++i];
    else if (row[i] == '|')
      cells.emplace_back();
    else
      cells.back() += row[i];
  }
  return cells;
}

// What stands between `…` in one column (counted from 1) of the table below a heading; a } alone is
// left out here, too.
std::vector<std::string> quoted(const std::string& heading, std::size_t column) {
  std::vector<std::string> found;
  bool here = false;
  for (const std::string& line : lines_of("README.md")) {
    if (!line.empty() && line[0] == '#') here = line.substr(line.find(' ') + 1) == heading;
    if (!here || line.empty() || line[0] != '|') continue;
    std::istringstream parts(cells_of(line).at(column));
    std::string part;
    for (bool code = false; std::getline(parts, part, '`'); code = !code)
      if (code && part != "}") found.push_back(part);
  }
  return found;
}

// A heading, and the program that the table below it quotes.
class ReadmeTable : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(ReadmeTable, QuotesEachLineOfTheProgramInItsOrder) {
  const auto [heading, program] = GetParam();
  EXPECT_EQ(quoted(heading, 3), code_of(program));
}

INSTANTIATE_TEST_SUITE_P(English, ReadmeTable,
                         testing::Values(std::pair("server.cpp", "server.cpp"),
                                         std::pair("client.cpp", "client.cpp")));
INSTANTIATE_TEST_SUITE_P(Chinese, ReadmeTable,
                         testing::Values(std::pair("server.cpp 对照", "server.cpp"),
                                         std::pair("client.cpp 对照", "client.cpp")));

TEST(Readme, QuotesTheHeaderAsItStands) {
  const std::vector<std::string> header = code_of("net.hpp");
  for (const std::string heading : {"The calls", "各个调用"}) {
    const std::vector<std::string> quotes = quoted(heading, 3);
    EXPECT_EQ(quotes.size(), 10u) << heading << ": net.hpp in the column's heading, and nine calls";
    for (std::size_t i = 1; i < quotes.size(); ++i)
      EXPECT_EQ(std::count(header.begin(), header.end(), quotes[i]), 1) << quotes[i];
  }
}

}  // namespace
