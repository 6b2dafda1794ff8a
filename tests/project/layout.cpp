// layout.cpp: what design and style promise about the files themselves.
#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "catch.h"
#include "project/tree.h"

using namespace test;

namespace {

bool is_one_of(const std::string& word, std::initializer_list<const char*> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string folder_of(const fs::path& path) {
  return path.begin()->string();
}

bool is_source(const fs::path& path) {
  return is_one_of(path.extension().string(), {".cpp", ".h", ".hpp", ".cu", ".py"}) ||
         (path.extension() == ".nn" && folder_of(path) != "tests") ||
         path.filename() == "CMakeLists.txt" || path.extension() == ".cmake";
}

// Goldens, error specs and the like are given text, not written code.
bool is_material(const fs::path& path) {
  const std::string text = path.string();
  return text.rfind("tests/golden/", 0) == 0 && path.filename() != "CMakeLists.txt" &&
         path.stem() != "golden";
}

// Every op, layer and optimizer of the prelude, and names that networks elsewhere have for such
// things.
std::set<std::string> operator_names() {
  std::set<std::string> names = {"conv2d",    "conv",       "lstm",       "gru",     "dropout",
                                 "attention", "layer_norm", "batch_norm", "maxpool", "max_pool",
                                 "embedding", "rmsprop",    "adagrad",    "lion"};
  std::vector<fs::path> prelude = {"dsl/prelude.nn"};
  for (const fs::path& path : project_files())
    if (path.string().rfind("dsl/prelude/", 0) == 0) prelude.push_back(path);
  for (const fs::path& path : prelude) {
    if (path.filename() == "shapes.nn") continue;  // to sort or to split is everyone's
    for (const std::string& line : lines_of(read_text(source_root() / path)))
      for (const std::string keyword : {"op ", "custom op ", "layer ", "optimizer "})
        if (line.rfind(keyword, 0) == 0)
          names.insert(line.substr(keyword.size(), line.find('(') - keyword.size()));
  }
  for (const char* everyday : {"zeros", "ones", "constant", "padding"}) names.erase(everyday);
  return names;
}

// Lower-case words of a text: letters, digits and underscores.
std::vector<std::string> identifiers(const std::string& text) {
  std::vector<std::string> found(1);
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_')
      found.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!found.back().empty())
      found.emplace_back();
  }
  return found;
}

// "dense" names dense, and so does "lower_dense", but "condensed" does not.
std::string named_operator(const std::string& identifier, const std::set<std::string>& names) {
  for (const std::string& name : names)
    if (("_" + identifier + "_").find("_" + name + "_") != std::string::npos) return name;
  return "";
}

// Types that a file of the compiler defines for others to link with, each with its namespace: those at the start of a
// line, which nothing unnamed is around.
std::vector<std::string> types_in(const std::string& text) {
  std::vector<std::string> scopes, found;
  for (const std::string& line : lines_of(text)) {
    std::smatch match;
    static const std::regex opens("(?:inline )?namespace ?([A-Za-z_:]*) ?\\{"), closes("\\}  // (?:inline )?namespace.*"),
        defines("(?:struct|class|enum class) ([A-Za-z_]+)(?: final)?(?: :[^;]*)? \\{.*");
    if (std::regex_match(line, match, opens)) {
      scopes.push_back(match[1]);
    } else if (std::regex_match(line, closes)) {
      if (!scopes.empty()) scopes.pop_back();
    } else if (std::regex_match(line, match, defines) && std::find(scopes.begin(), scopes.end(), "") == scopes.end()) {
      std::string name;
      for (const std::string& scope : scopes) name += scope + "::";
      found.push_back(name + match[1].str());
    }
  }
  return found;
}

}  // namespace

TEST_CASE("files are short, or their first comment says why they are long") {
  int checked = 0;
  for (const fs::path& path : project_files()) {
    if (!is_source(path) || is_material(path)) continue;
    const std::string text = read_text(source_root() / path);
    const auto lines = std::count(text.begin(), text.end(), '\n');
    INFO(path << " has " << lines
              << " lines; split it by what it does, or state 'Long because …' at its top");
    CHECK((lines <= 500 || first_comment(text).find("Long because") != std::string::npos));
    ++checked;
  }
  CHECK(checked > 40);
}

TEST_CASE("the first line of a C++ file names it and says what it is for") {
  for (const fs::path& path : project_files()) {
    if (!is_one_of(path.extension().string(), {".cpp", ".h"}) || is_material(path)) continue;
    const std::string first = lines_of(read_text(source_root() / path) + "\n").front();
    INFO(path << ": " << first);
    CHECK(first.rfind("//", 0) == 0);
    CHECK(first.find(path.filename().string() + ": ") != std::string::npos);
  }
}

TEST_CASE("no layer, loss, activation or optimizer is named in the compiler") {
  const std::set<std::string> names = operator_names();
  REQUIRE(names.count("dense") == 1);
  REQUIRE(names.count("cross_entropy") == 1);
  REQUIRE(names.count("adamw") == 1);
  REQUIRE(named_operator("lower_dense", names) == "dense");
  REQUIRE(named_operator("condensed", names).empty());
  for (const fs::path& path : project_files()) {
    if (!is_one_of(folder_of(path), {"dsl", "codegen"}) ||
        !is_one_of(path.extension().string(), {".cpp", ".h"}))
      continue;
    if (path.filename() == "gradient_advice.cpp") continue;  // speaks to people, who need the names
    for (const std::string& word : identifiers(without_comments(read_text(source_root() / path)))) {
      INFO(path << " says " << word);
      CHECK(named_operator(word, names).empty());
    }
  }
}

// A linker takes two types of one name for one, and mixes up their members.
TEST_CASE("no two types of the compiler have one name") {
  const std::string text = "namespace gradc {\nnamespace {\nstruct Own {\n};\n}  // namespace\nclass Shared {\n}  // namespace gradc\n";
  REQUIRE(types_in(text) == std::vector<std::string>{"gradc::Shared"});
  std::map<std::string, fs::path> defined;
  for (const fs::path& path : project_files()) {
    if (!is_one_of(folder_of(path), {"dsl", "codegen", "tool"}) || !is_one_of(path.extension().string(), {".cpp", ".h"})) continue;
    for (const std::string& type : types_in(read_text(source_root() / path))) {
      INFO(type << " is defined in " << path << " and in " << defined[type]);
      CHECK(defined[type].empty());
      defined[type] = path;
    }
  }
  CHECK(defined.size() > 200);
}

TEST_CASE("comments are told from code") {
  CHECK(without_comments("a // dense\nb") == "a \nb");
  CHECK(without_comments("a /* dense\n*/ b") == "a   b");
  CHECK(without_comments("\"// kept\" // gone") == "\"// kept\" ");
  CHECK(without_comments("'\"' // gone") == "'\"' ");
  CHECK(without_comments("\"\\\"// kept\"") == "\"\\\"// kept\"");
  CHECK(without_comments("1'000 // gone") == "1'000 ");
}

TEST_CASE("nothing is left to be done later") {
  for (const fs::path& path : project_files()) {
    if (path.filename() == "layout.cpp" || !is_source(path)) continue;
    const std::string text = read_text(source_root() / path);
    for (const std::string mark : {"TODO", "FIXME"}) {
      INFO(path);
      CHECK(text.find(mark) == std::string::npos);
    }
  }
}

TEST_CASE("every folder's README names the files in it") {
  for (const char* folder :
       {"dsl", "codegen", "runtime", "tool", "tests", "cmake", "scripts", "examples", "bench"}) {
    const fs::path readme = source_root() / folder / "README.md";
    INFO(folder);
    REQUIRE(fs::exists(readme));
    const std::string text = read_text(readme);
    for (const auto& entry : fs::directory_iterator(source_root() / folder)) {
      const std::string name = entry.path().filename().string();
      if (name == "README.md" || name == "CMakeLists.txt" || name == "__pycache__") continue;
      INFO(name);
      CHECK(text.find(entry.path().extension() == ".h" || entry.path().extension() == ".cpp"
                          ? entry.path().stem().string()
                          : name) != std::string::npos);
    }
  }
}
