// diagnostics.cpp: places, the sink for messages, how messages look, and which name was meant.
#include "dsl/diagnostics.h"

#include "catch.h"
#include "dsl/check.h"

using namespace gradc;

namespace {

// What is rendered for one error at [begin, end) of a text.
std::string shown(const std::string& text, std::uint32_t begin, std::uint32_t end,
                  std::optional<FixIt> fixit = {}, std::vector<Span> ranges = {}) {
  Sources sources;
  sources.add("a.nn", text);
  Diagnostics d;
  Diagnostic& e = d.error("syntax", {0, begin, end}, "wrong");
  e.fixit = fixit;
  e.ranges = std::move(ranges);
  return render(d, sources);
}

const std::string head = "a.nn:1:";

}  // namespace

TEST_CASE("places in a text") {
  Sources s;
  CHECK(s.add("a", "one\r\ntwo\n\nfour") == 0);
  CHECK(s.add("b", "") == 1);
  CHECK(s.size() == 2);
  CHECK(s.path(1) == "b");
  auto at = [&](std::uint32_t offset) {
    const LineColumn lc = s.line_column(0, offset);
    return std::pair(lc.line, lc.column);
  };
  CHECK(at(0) == std::pair<std::size_t, std::size_t>(1, 1));
  CHECK(at(5) == std::pair<std::size_t, std::size_t>(2, 1));
  CHECK(at(8) == std::pair<std::size_t, std::size_t>(2, 4));
  CHECK(at(9) == std::pair<std::size_t, std::size_t>(3, 1));
  CHECK(at(14) == std::pair<std::size_t, std::size_t>(4, 5));
  CHECK(s.line_column(1, 0).line == 1);
  CHECK(s.line(0, 1) == "one");
  CHECK(s.line(0, 3) == "");
  CHECK(s.line(0, 4) == "four");
  CHECK(s.line(0, 5) == "");
  CHECK(s.text({0, 5, 8}) == "two");
  CHECK(s.text({0, 10, 99}) == "four");
}

TEST_CASE("ids are registered and in order") {
  const auto& ids = diagnostic_ids();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    CHECK(!ids[i].summary.empty());
    CHECK(ids[i].id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == ids[i].id.npos);
    if (i > 0) CHECK(ids[i - 1].id < ids[i].id);
  }
  Diagnostics d;
  CHECK_THROWS_AS(d.error("no-such-id", {}, "x"), InternalError);
}

TEST_CASE("repeated messages are dropped, and there is an end to them") {
  Diagnostics d;
  d.error("syntax", {0, 1, 2}, "first");
  d.error("syntax", {0, 1, 2}, "again").notes.push_back({{}, "lost"});
  d.error("too-deep", {0, 1, 2}, "another id");
  d.warning("syntax", {0, 3, 4}, "a warning");
  d.error("syntax", {}, "no place");
  d.error("syntax", {}, "no place, but another message");
  CHECK(d.errors() == 4);
  CHECK(d.all().size() == 5);
  CHECK(d.all()[0].message == "first");
  CHECK(d.all()[0].notes.empty());
  for (std::uint32_t i = 10; i < 300; ++i) d.error("syntax", {0, i, i}, "many");
  CHECK(d.errors() == Diagnostics::limit);
  CHECK(d.has_errors());
}

TEST_CASE("a message with caret, ranges and fix-it") {
  CHECK(shown("y = ab + cd\n", 4, 6, FixIt{{0, 4, 6}, "abc"}, {{0, 9, 11}}) ==
        head +
            "5: error: wrong [syntax]\n"
            "    1 | y = ab + cd\n"
            "      |     ^~   ~~\n"
            "      |     abc\n");
  // An insertion behind the end of the line, and a removal.
  CHECK(shown("f(x\n", 3, 3, FixIt{{0, 3, 3}, ")"}) ==
        head + "4: error: wrong [syntax]\n    1 | f(x\n      |    ^\n      |    )\n");
  CHECK(shown("f(x));", 4, 6, FixIt{{0, 4, 6}, ""}) ==
        head + "5: error: wrong [syntax]\n    1 | f(x));\n      |     ^~\n      |     --\n");
}

TEST_CASE("tabs, wide spans and long lines") {
  CHECK(shown("\tx = 1\n", 1, 2) == head +
                                        "2: error: wrong [syntax]\n"
                                        "    1 |         x = 1\n"
                                        "      |         ^\n");
  CHECK(shown("a\tb\n", 2, 3) == head +
                                     "3: error: wrong [syntax]\n"
                                     "    1 | a       b\n"
                                     "      |         ^\n");
  // A span over several lines is clipped to its first.
  CHECK(shown("f(a,\n  b)\n", 1, 9) ==
        head + "2: error: wrong [syntax]\n    1 | f(a,\n      |  ^~~\n");
  CHECK(shown("é = ü\n", 5, 7) ==
        head + "6: error: wrong [syntax]\n    1 | é = ü\n      |     ^\n");

  const std::string longest =
      shown(std::string(500, 'x') + "!" + std::string(5'000'000, 'y'), 500, 501);
  INFO(longest);
  CHECK(longest.size() < 400);
  CHECK_THAT(longest, test::contains("...x"));
  CHECK_THAT(longest, test::contains("y...\n"));
  std::vector<std::string> lines(1);
  for (char c : longest) {
    if (c == '\n')
      lines.emplace_back();
    else
      lines.back() += c;
  }
  CHECK(lines.at(1).find('!') == lines.at(2).find('^'));
}

TEST_CASE("nothing of a text can act on the terminal") {
  const std::string text = "x\x1b[31m\xe2\x80\xae\xff\x01y";
  const std::string out = shown(text, 12, 13);
  INFO(out);
  CHECK_THAT(out, test::contains("x<U+001B>[31m<U+202E><FF><U+0001>y"));
  CHECK(out.find('\x1b') == out.npos);
  Sources s;
  s.add("\x1b[2J.nn", "x");
  Diagnostics d;
  d.error("syntax", {0, 0, 1}, "bad \x07 message").notes.push_back({{}, "note \x1b"});
  CHECK(render(d, s).find_first_of("\x1b\x07") == std::string::npos);
}

TEST_CASE("notes, warnings and messages without a place") {
  Sources s;
  s.add("a.nn", "one\ntwo\n");
  Diagnostics d;
  Diagnostic& w = d.warning("syntax", {0, 4, 7}, "odd");
  w.notes.push_back({{0, 0, 3}, "see here"});
  w.notes.push_back({{}, "think"});
  w.fixit = FixIt{{0, 3, 3}, ","};
  d.error("syntax", {}, "nowhere");
  CHECK(render(d, s) ==
        "a.nn:2:1: warning: odd [syntax]\n    2 | two\n      | ^~~\n"
        "a.nn:1:1: note: see here\n    1 | one\n      | ^~~\n"
        "note: think\n"
        "a.nn:1:4: note: insert ',' here\n    1 | one\n      |    ^\n      |    ,\n"
        "error: nowhere [syntax]\n");
  CHECK(!d.all()[0].id.empty());
  const std::string coloured = render(d, s, true);
  CHECK_THAT(coloured, test::contains("\x1b[1;35mwarning:\x1b[0m"));
  CHECK_THAT(coloured, test::contains("\x1b[1;31merror:\x1b[0m"));
}

TEST_CASE("the nearest name") {
  const std::vector<std::string_view> names = {"relu", "gelu", "softmax", "x", "B", "log_softmax"};
  auto nearest = [&](std::string_view n) {
    return std::string(nearest_name(n, names).value_or("-"));
  };
  CHECK(nearest("rleu") == "relu");   // neighbours exchanged
  CHECK(nearest("relo") == "relu");   // replaced
  CHECK(nearest("rlu") == "relu");    // left out
  CHECK(nearest("rrelu") == "relu");  // doubled
  CHECK(nearest("elu") == "relu");    // a tie goes to the first
  CHECK(nearest("Softmax") == "softmax");
  CHECK(nearest("logsoftmax") == "log_softmax");
  CHECK(nearest("b") == "B");
  CHECK(nearest("y") == "-");
  CHECK(nearest("dense") == "-");
  CHECK(nearest("relu") == "gelu");  // never the name itself
  CHECK(nearest("") == "-");
}
