// blocks.cpp: takes fenced blocks out of a document.
#include "project/blocks.h"

#include <optional>

#include "catch.h"
#include "project/tree.h"

namespace test {
namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c != ' ')
      words.back() += c;
    else if (!words.back().empty())
      words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

}  // namespace

std::vector<Block> blocks_of(const std::string& document) {
  std::vector<Block> blocks;
  std::optional<Block> open;
  std::size_t number = 0;
  std::size_t indent = 0;
  for (const std::string& line : lines_of(document)) {
    ++number;
    const std::size_t start = std::min(line.find_first_not_of(' '), line.size());
    if (line.compare(start, 3, "```") != 0) {
      if (open) open->text += (line.size() > indent ? line.substr(indent) : "") + "\n";
    } else if (open) {
      blocks.push_back(*open);
      open.reset();
    } else {
      indent = start;
      open.emplace();
      open->words = words_of(line.substr(start + 3));
      if (!open->words.empty()) open->language = open->words.front();
      open->line = number;
    }
  }
  REQUIRE_FALSE(open);
  return blocks;
}

}  // namespace test
