// reference.cpp: what the reference of the language and of its library shows does as it says when
// it runs.
#include "catch.h"
#include "project/blocks.h"
#include "project/tree.h"

using namespace test;

TEST_CASE(
    "specs of the reference compute what the interpreter computes, with gradients that hold") {
  int ran = 0;
  for (const char* document : {"docs/language.md", "docs/prelude.md"}) {
    for (const Block& block : blocks_of(read_text(source_root() / document))) {
      if (block.language != "nn" || block.is("fragment") || block.is("error")) continue;
      const TemporaryFolder folder;
      write_text(folder.path() / "spec.nn", block.text);
      const Finished checked = run_program({GRADC_TOOL, "gradcheck", "spec.nn"},
                                           {folder.path(), {}, std::chrono::seconds(900)});
      INFO(document << ":" << block.line << "\n" << checked.out << checked.err);
      CHECK(checked.exit_code == 0);
      ++ran;
    }
  }
  CHECK(ran >= 15);
}
