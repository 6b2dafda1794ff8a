// blocks.h: the fenced blocks of the project's documents.
#pragma once

#include <string>
#include <vector>

namespace test {

// A fenced block, and what its opening fence says after the language: ```nn error file=a.nn
struct Block {
  std::string language;
  std::vector<std::string> words;
  std::string text;
  std::size_t line = 0;

  bool is(const std::string& word) const {
    for (const std::string& w : words)
      if (w == word) return true;
    return false;
  }
  std::string value(const std::string& key, const std::string& otherwise) const {
    for (const std::string& w : words)
      if (w.rfind(key + "=", 0) == 0) return w.substr(key.size() + 1);
    return otherwise;
  }
};

std::vector<Block> blocks_of(const std::string& document);

}  // namespace test
