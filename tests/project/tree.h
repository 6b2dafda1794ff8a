// tree.h: the project's own files, for tests about them.
#pragma once

#include <string>
#include <vector>

#include "process.h"

namespace test {

inline fs::path source_root() {
  return GRADC_SOURCE_DIR;
}

// The files of the project, relative to its root, in order; what builds and checks leave behind
// excepted.
std::vector<fs::path> project_files();

std::vector<std::string> lines_of(const std::string& text);

// The comment a source file opens with, without its markers.
std::string first_comment(const std::string& text);

// C++ with every comment replaced by a space; string literals stay.
std::string without_comments(const std::string& text);

}  // namespace test
