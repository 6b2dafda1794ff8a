// tree.cpp: finds the project's files and takes comments apart from code.
#include "project/tree.h"

#include <algorithm>
#include <sstream>

namespace test {

std::vector<fs::path> project_files() {
  std::vector<fs::path> files;
  for (auto entry = fs::recursive_directory_iterator(source_root());
       entry != fs::recursive_directory_iterator(); ++entry) {
    const fs::path relative = fs::relative(entry->path(), source_root());
    const std::string name = relative.filename().string();
    const bool top = !relative.has_parent_path();
    const bool left_behind =
        top && (name == ".git" || name.rfind("build", 0) == 0 || name.rfind("install", 0) == 0);
    if (left_behind || name == "__pycache__" || name == ".cache") {
      if (entry->is_directory()) entry.disable_recursion_pending();
    } else if (entry->is_regular_file()) {
      files.push_back(relative);
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string first_comment(const std::string& text) {
  std::string comment;
  for (const std::string& line : lines_of(text)) {
    const std::size_t start = line.rfind("//", 0) == 0  ? 2
                              : line.rfind('#', 0) == 0 ? 1
                                                        : std::string::npos;
    if (start == std::string::npos) break;
    comment += line.substr(start) + "\n";
  }
  return comment;
}

std::string without_comments(const std::string& text) {
  std::string code;
  for (std::size_t i = 0; i < text.size();) {
    if (text.compare(i, 2, "//") == 0) {
      i = std::min(text.find('\n', i), text.size());
    } else if (text.compare(i, 2, "/*") == 0) {
      const std::size_t end = text.find("*/", i + 2);
      i = end == std::string::npos ? text.size() : end + 2;
      code += ' ';
    } else if (text[i] == '"' ||
               (text[i] == '\'' &&
                (i == 0 || !std::isalnum(static_cast<unsigned char>(text[i - 1]))))) {
      const char quote = text[i];
      do {
        if (text[i] == '\\' && i + 1 < text.size()) code += text[i++];
        code += text[i++];
      } while (i < text.size() && text[i] != quote && text[i] != '\n');
      if (i < text.size()) code += text[i++];
    } else {
      code += text[i++];
    }
  }
  return code;
}

}  // namespace test
