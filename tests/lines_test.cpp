// README, Build it, steps 2 and 6: grades the reader's own lines.hpp. Without that file, there is
// nothing to grade.
#if __has_include("lines.hpp")
#include "lines.hpp"

#include "support.hpp"

namespace {

using Strings = std::vector<std::string>;

// The peer sends these pieces. recv_line must return these lines, one a call, without waiting for
// more; and nothing, again and again, once the peer has closed.
void expect_lines(const Strings& pieces, const Strings& lines) {
  expect_to_end([&] {
    auto [client, server] = connection();
    for (const std::string& piece : pieces) client.sendall(piece);
    std::string pending;
    for (const std::string& line : lines) EXPECT_TRUE(same(recv_line(server, pending), line));
    client.close();
    EXPECT_TRUE(same(recv_line(server, pending), ""));
    EXPECT_TRUE(same(recv_line(server, pending), ""));
  });
}

TEST(Lines, OneLineInOnePiece) { expect_lines({"one\n"}, {"one"}); }
TEST(Lines, SeveralLinesInOnePiece) { expect_lines({"a\nbb\n\nccc\n"}, {"a", "bb", "", "ccc"}); }
TEST(Lines, ALineInManyPieces) {
  const std::string line = repeat("汉字", 1000);
  expect_lines({line, "!\nend\n"}, {line + "!", "end"});
}
TEST(Lines, HalfALineAtTheEndIsDropped) { expect_lines({"one\ntwo"}, {"one"}); }

}  // namespace
#endif
