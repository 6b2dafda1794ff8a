// host_compiler.h: the C++ compiler of this machine: started without a shell, its output kept.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codegen/isa.h"
#include "tool/verbs.h"

namespace gradc {

// What emitted code is compiled and linked against, in the build tree or where gradc is installed.
struct RuntimeFiles {
  std::string include;             // the directory that holds gradc/model.h
  std::string driver;              // libgradc_driver.a
  std::vector<std::string> links;  // further link arguments the driver needs
};

// Finds them relative to this executable; nothing with `error` set if they are not there.
std::optional<RuntimeFiles> find_runtime(std::string& error);

struct HostResult {
  int status = 0;      // exit status; 127: could not be started
  std::string output;  // stdout and stderr together
};

// $CXX, or c++, cut at blanks (`ccache g++` is two words).
std::vector<std::string> host_compiler();

// The flags emitted code is made for, for a processor of the kind named; without one for this machine's.
std::vector<std::string> host_flags(const Isa* = nullptr);

HostResult run_program(const std::vector<std::string>& arguments);

// Prints what the host compiler said and that it failed, with `what` it was compiling for; returns the exit code for that.
int fail_host(const Session&, const HostResult&, const std::string& compiler, const std::string& what = "");

// A new directory of our own in $TMPDIR, removed with what it holds when the value dies.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }  // empty: it could not be made

 private:
  std::string path_;
};

}  // namespace gradc
