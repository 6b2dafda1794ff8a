// documents.cpp: what the documents show is true: specs are checked, errors compared, links
// followed.
#include "catch.h"
#include "project/blocks.h"
#include "project/tree.h"

using namespace test;

namespace {

std::vector<fs::path> documents() {
  std::vector<fs::path> result;
  for (const fs::path& path : project_files())
    if (path.extension() == ".md") result.push_back(path);
  return result;
}

// Where the links of a document lead, as far as that is in the project.
std::vector<std::string> local_links(const std::string& document) {
  std::vector<std::string> links;
  for (std::size_t at = document.find("]("); at != std::string::npos;
       at = document.find("](", at + 1)) {
    const std::size_t end = document.find(')', at);
    std::string link = document.substr(at + 2, end - at - 2);
    link = link.substr(0, link.find('#'));
    const bool elsewhere = link.empty() || link.find("://") != std::string::npos ||
                           link.find(' ') != std::string::npos ||
                           link.find('\n') != std::string::npos;
    if (!elsewhere) links.push_back(link);
  }
  return links;
}

}  // namespace

TEST_CASE("every spec in the documents is what it is said to be") {
  int whole = 0;
  int wrong = 0;
  int emitted = 0;
  for (const fs::path& path : documents()) {
    const std::vector<Block> blocks = blocks_of(read_text(source_root() / path));
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const Block& block = blocks[i];
      if (block.language != "nn" || block.is("fragment")) continue;
      const TemporaryFolder folder;
      const std::string name = block.value("file", "spec.nn");
      write_text(folder.path() / name, block.text);
      const Finished checked = run_program({GRADC_TOOL, "check", name}, {folder.path(), {}});
      INFO(path.string() << ":" << block.line << "\n"
                         << block.text << "\n"
                         << checked.out << checked.err);
      if (block.is("error")) {
        ++wrong;
        CHECK(checked.exit_code == 1);
        // The block that follows shows what gradc says.
        REQUIRE(i + 1 < blocks.size());
        CHECK(blocks[i + 1].language == "text");
        CHECK(checked.err == blocks[i + 1].text);
      } else {
        ++whole;
        CHECK(checked.exit_code == 0);
        CHECK(checked.err.empty());
        // C++ that follows is part of what it becomes.
        if (i + 1 == blocks.size() || blocks[i + 1].language != "cpp" || blocks[i + 1].is("fragment")) continue;
        ++emitted;
        REQUIRE(run_program({GRADC_TOOL, "build", name}, {folder.path(), {}}).exit_code == 0);
        const std::string source = read_text((folder.path() / name).replace_extension(".cpp"));
        INFO(blocks[i + 1].text);
        CHECK(source.find(blocks[i + 1].text) != std::string::npos);
      }
    }
  }
  CHECK(whole >= 3);
  CHECK(wrong >= 1);
  CHECK(emitted >= 1);
}

TEST_CASE("the links of the documents lead somewhere") {
  int followed = 0;
  for (const fs::path& path : documents()) {
    for (const std::string& link : local_links(read_text(source_root() / path))) {
      INFO(path << " links to " << link);
      CHECK(fs::exists(source_root() / path.parent_path() / link));
      ++followed;
    }
  }
  CHECK(followed > 10);
}

TEST_CASE("blocks are taken out of documents whole") {
  const std::vector<Block> blocks =
      blocks_of("a\n```nn error file=x.nn\nfoo\n\n bar\n```\n  ```text\n  b\n  ```\n");
  REQUIRE(blocks.size() == 2);
  CHECK(blocks[0].language == "nn");
  CHECK(blocks[0].is("error"));
  CHECK_FALSE(blocks[0].is("fragment"));
  CHECK(blocks[0].value("file", "") == "x.nn");
  CHECK(blocks[0].text == "foo\n\n bar\n");
  CHECK(blocks[0].line == 2);
  CHECK(blocks[1].text == "b\n");
}
