// write_files.h: puts emitted files in place: all of them or none, atomically, and only those that
// changed.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace gradc {

struct OutputFile {
  std::string name;  // in the output directory; never a path
  std::string text;
};

struct WriteOptions {
  bool force = false;  // replace files that gradc did not write
};

// Writes `files` into `directory`, which is made if needed. Every file is first written whole under
// a temporary name and synced, then renamed; a name that is a symbolic link is replaced, never
// followed. Returns what went wrong, for the user, or nothing.
std::optional<std::string> write_files(const std::string& directory,
                                       const std::vector<OutputFile>& files, WriteOptions = {});

// A Makefile rule that says `targets` are made from `dependencies`, as Ninja and Make read it.
std::string depfile(const std::vector<std::string>& targets,
                    const std::vector<std::string>& dependencies);

// The contents of a regular file of at most `limit` bytes, or nothing with `error` set.
std::optional<std::string> read_file(const std::string& path, std::size_t limit,
                                     std::string& error);

}  // namespace gradc
