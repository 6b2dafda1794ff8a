// graph_names.cpp: identifiers for the values and indices of a graph.
#include "dsl/graph_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "dsl/tokens.h"

namespace gradc {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Words that mean something in printed graphs besides those of the language.
constexpr std::array special_words = {
    "argmax", "argmin", "bool",      "cast",        "constant",  "cotangents", "custom", "evaluation", "f32",
    "f64",    "grad",   "gradient",  "inf",         "gradients", "i32",        "init",
    "input",  "int",    "mean",      "named",       "nan",       "neg",        "normal",
    "pad",    "padded", "parameter", "state_value", "pi",        "prod",       "reshape",
    "past",   "recurrence", "recurrence_back",
    "size",   "string", "sum",       "uniform",     "float",
};

bool is_taken_word(const Graph& g, const std::string& name) {
  if (token_kind(name) != TokenKind::name || function_named(name)) return true;
  if (std::find(special_words.begin(), special_words.end(), name) != special_words.end()) {
    return true;
  }
  return std::any_of(g.dims().begin(), g.dims().end(),
                     [&](const Dim& d) { return d.least > 0 && d.name == name; });
}

// Letters, digits and underscores, beginning with a letter; at most 60 of them. Empty if nothing is
// left.
std::string identifier(std::string_view text) {
  std::string result;
  for (char c : text.substr(0, 60)) {
    if (is_letter(c) || is_digit(c)) {
      result += c;
    } else if (!result.empty() && result.back() != '_') {
      result += '_';
    }
  }
  while (!result.empty() && result.back() == '_') result.pop_back();
  if (!result.empty() && is_digit(result.front())) result.insert(result.begin(), '_');
  return result;
}

class Chooser {
 public:
  explicit Chooser(const Graph& graph) : g(graph) {}

  bool is_free(const std::string& name) const {
    return !is_taken_word(g, name) && !used_.contains(name);
  }
  void use(const std::string& name) { used_.insert(name); }

  // The wish if it is free, else the wish with a number.
  std::string choose(const std::string& wish) {
    std::string name = wish;
    for (int n = 2; !is_free(name); ++n) {
      name = wish + (is_digit(wish.back()) ? "_" : "") + std::to_string(n);
    }
    use(name);
    return name;
  }

 private:
  const Graph& g;
  std::set<std::string> used_;
};

// The last `parts` components of a path, as an identifier: ("a.b.W", 2) is b_W.
std::string path_end(const std::string& path, std::size_t parts) {
  std::size_t from = path.size();
  for (; from != 0; --from) {
    if (path[from - 1] == '.' && --parts == 0) break;
  }
  return identifier(std::string_view(path).substr(from));
}

// For each path the shortest end that no other one has.
std::vector<std::string> distinct_ends(const std::vector<std::string>& paths) {
  std::vector<std::string> ends(paths.size());
  std::vector<std::size_t> parts(paths.size(), 1);
  for (bool changed = true; changed;) {
    changed = false;
    std::multiset<std::string> seen;
    for (std::size_t k = 0; k < paths.size(); ++k)
      seen.insert(ends[k] = path_end(paths[k], parts[k]));
    for (std::size_t k = 0; k < paths.size(); ++k) {
      const auto most =
          static_cast<std::size_t>(std::count(paths[k].begin(), paths[k].end(), '.')) + 1;
      if (seen.count(ends[k]) > 1 && parts[k] < most) {
        ++parts[k];
        changed = true;
      }
    }
  }
  return ends;
}

}  // namespace

bool is_identifier(std::string_view text) {
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || is_digit(c); });
}

NodeNames name_nodes(const Graph& g, const std::vector<NodeId>& nodes,
                     const std::vector<std::pair<NodeId, std::string>>& wishes) {
  NodeNames names;
  Chooser chooser(g);
  for (const auto& [id, wish] : wishes) {
    const std::string end = path_end(wish, 1);
    if (!names.contains(id) && !end.empty()) names.emplace(id, chooser.choose(end));
  }
  std::vector<NodeId> with_path;
  std::vector<std::string> paths;
  for (NodeId id : nodes) {
    if (names.contains(id) || g[id].name.empty()) continue;
    with_path.push_back(id);
    paths.push_back(g[id].name);
  }
  const std::vector<std::string> ends = distinct_ends(paths);
  for (std::size_t k = 0; k < paths.size(); ++k) {
    names.emplace(with_path[k], chooser.choose(ends[k].empty() ? "t" : ends[k]));
  }
  int unnamed = 0;
  for (NodeId id : nodes) {
    if (names.contains(id)) continue;
    std::string wish = identifier(g.label(id).name);
    if (wish.empty()) {
      do {
        wish = fmt::format("t{}", ++unnamed);
      } while (!chooser.is_free(wish));
    }
    names.emplace(id, chooser.choose(wish));
  }
  return names;
}

std::vector<std::string> name_indices(const Graph& g, NodeId comprehension,
                                      const NodeNames& nodes) {
  const Node& n = g[comprehension];
  const std::vector<std::string>& labels = g.label(comprehension).index_names;
  Chooser chooser(g);
  for (NodeId read : g.operands(comprehension)) {
    if (auto it = nodes.find(read); it != nodes.end()) chooser.use(it->second);
  }
  if (auto it = nodes.find(comprehension); it != nodes.end()) chooser.use(it->second);
  std::vector<std::string> result(n.ranges.size());
  for (std::size_t k = 0; k < result.size() && k < labels.size(); ++k) {
    const std::string wish = identifier(labels[k]);
    if (wish.empty() || !chooser.is_free(wish)) continue;
    chooser.use(wish);
    result[k] = wish;
  }
  // The index over all of dim B is b.
  for (std::size_t k = 0; k < result.size(); ++k) {
    const Extent& e = n.ranges[k];
    if (!result[k].empty() || e.is_fixed() || e != Extent(e.dim)) continue;
    std::string wish = g.dim(e.dim).name;
    for (char& c : wish) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (wish.size() > 2 || !chooser.is_free(wish)) continue;
    chooser.use(wish);
    result[k] = std::move(wish);
  }
  constexpr std::string_view letters = "ijklmnuvwxyzabcdefghopqrst";
  std::size_t letter = 0;
  for (std::string& name : result) {
    while (name.empty()) {
      std::string wish(1, letters[letter % letters.size()]);
      if (letter >= letters.size()) wish += std::to_string(letter / letters.size() + 1);
      ++letter;
      if (!chooser.is_free(wish)) continue;
      chooser.use(wish);
      name = wish;
    }
  }
  return result;
}

}  // namespace gradc
