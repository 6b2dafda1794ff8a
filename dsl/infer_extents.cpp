// infer_extents.cpp: extents of a parameter or state that its declaration leaves open, `param W: f32[_, _]`,
// from the ranges of the indices that subscript it or its next value.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/elaboration.h"

namespace gradc {
namespace {

struct Range {
  std::int64_t low = 0, high = 0;
  Span span;
};

bool is_open(const ast::Expr& extent) {
  return extent.kind == ast::ExprKind::name && extent.name.text == "_";
}

// A walk over a body in search of `W[…]`, with the indices bound on the way.
struct Search {
  Elaboration& e;
  Scope& scope;
  const ast::Name& name;
  const ast::Type& type;
  std::vector<const ast::Index*> bound{};
  std::vector<std::optional<Range>> found{};  // by dim
  std::vector<std::optional<Span>> unclear{};  // by dim: a subscript that tells nothing
  bool failed = false;

  void fail(std::string_view id, Span span, const std::string& message,
            std::vector<Note> notes = {}) {
    if (!failed) e.error(id, span, message, std::move(notes));
    failed = true;
  }

  std::optional<std::int64_t> end_of_range(const ast::Expr& x) {
    const Value v = evaluate(e, scope, x, Position::integer);
    constexpr double most = 2147483647;
    if (v.is(ValueKind::number) && v.integer && v.number >= -most && v.number <= most)
      return static_cast<std::int64_t>(v.number);
    if (!v.poisoned())
      fail("bad-range", x.span,
           fmt::format("the range that sizes {} is known at compile time; this is {}",
                       in_quotes(name.text), describe(e, v)));
    failed = true;
    return std::nullopt;
  }

  void use(const ast::Expr& x, std::size_t k) {
    const ast::Expr& subscript = x.args[k];
    const auto index = std::find_if(bound.rbegin(), bound.rend(), [&](const ast::Index* i) {
      return subscript.kind == ast::ExprKind::name && i->name.text == subscript.name.text;
    });
    use(index == bound.rend() ? nullptr : *index, subscript.span, k);
  }

  void use(const ast::Index* index, Span span, std::size_t k) {
    if (index == nullptr || index->range.size() != 2) {
      if (!unclear[k]) unclear[k] = span;  // it says nothing; where another does, all is well
      return;
    }
    const auto low = end_of_range(index->range[0]);
    const auto high = low ? end_of_range(index->range[1]) : std::nullopt;
    if (!low || !high) return;
    if (*high < *low)
      return fail("bad-range", index->name.span,
                  fmt::format("the range {}..{} holds nothing", *low, *high));
    if (found[k] && (found[k]->low != *low || found[k]->high != *high))
      return fail("index-range-clash", span,
                  fmt::format("dim {} of {} runs over {}..{} here and over {}..{} elsewhere",
                              k + 1, in_quotes(name.text), *low, *high, found[k]->low,
                              found[k]->high),
                  {{found[k]->span, "there"}});
    found[k] = Range{*low, *high, span};
  }

  // All statements, those in loops, conditions and recurrences too.
  void walk(const std::vector<ast::Statement>& body) {
    for (const ast::Statement& s : body) {
      if (const auto* f = std::get_if<ast::For>(&s.what)) walk(f->body);
      if (const auto* i = std::get_if<ast::If>(&s.what)) walk(i->body), walk(i->otherwise);
      if (const auto* r = std::get_if<ast::Recur>(&s.what)) {
        bound.push_back(&r->time);
        walk(r->body);
        bound.pop_back();
      }
      const auto* a = std::get_if<ast::Assign>(&s.what);
      if (a == nullptr) continue;
      const std::size_t before = bound.size();
      for (const ast::Target& target : a->targets)
        for (const ast::Index& i : target.indices) bound.push_back(&i);
      for (const ast::Target& target : a->targets) {
        if (target.name.text != name.text + "'") continue;
        for (std::size_t k = 0; k < std::min(type.shape.size(), target.indices.size()); ++k)
          if (is_open(type.shape[k])) use(&target.indices[k], target.indices[k].name.span, k);
      }
      walk(a->value);
      bound.resize(before);
    }
  }

  void walk(const ast::Expr& x) {
    const std::size_t before = bound.size();
    for (const ast::Index& i : x.indices) bound.push_back(&i);
    if (x.kind == ast::ExprKind::subscript && x.name.text == name.text) {
      for (std::size_t k = 0; k < type.shape.size(); ++k)
        if (is_open(type.shape[k]) && k < x.args.size()) use(x, k);
    }
    for (const ast::Expr& arg : x.args) walk(arg);
    for (const ast::Argument& argument : x.arguments) walk(argument.value);
    for (const ast::Expr& pad : x.pad) walk(pad);
    bound.resize(before);
  }
};

}  // namespace

bool has_open_extents(const ast::Type& type) {
  return std::any_of(type.shape.begin(), type.shape.end(), is_open);
}

std::optional<ast::Type> close_extents(Elaboration& e, Scope& scope, const ast::Name& name,
                                       const ast::Type& declared, std::vector<std::int64_t>& origin) {
  Search search{e, scope, name, declared};
  search.found.resize(declared.shape.size());
  search.unclear.resize(declared.shape.size());
  search.walk(scope.definition->body);
  if (search.failed) return std::nullopt;
  ast::Type type = declared;
  origin.assign(type.shape.size(), 0);
  for (std::size_t k = 0; k < type.shape.size(); ++k) {
    ast::Expr& extent = type.shape[k];
    if (!is_open(extent)) continue;
    const std::optional<Range>& range = search.found[k];
    if (!range && search.unclear[k]) {
      e.error("unknown-extent", *search.unclear[k],
              fmt::format("dim {} of {} is left open, '_': here stands an index with a range, as in "
                          "'sum[i in -3..3] …'",
                          k + 1, in_quotes(name.text)),
              {{name.span, "declared here"}});
      return std::nullopt;
    }
    if (!range) {
      e.error("unknown-extent", extent.span,
              fmt::format("nothing says how large dim {} of {} is: '_' takes the range of the "
                          "index that subscripts it, as in 'sum[i in -3..3] … {}[i]'",
                          k + 1, in_quotes(name.text), name.text));
      return std::nullopt;
    }
    origin[k] = range->low;
    extent.kind = ast::ExprKind::number;
    extent.number = static_cast<double>(range->high - range->low + 1);
    extent.integer = true;
  }
  return type;
}

}  // namespace gradc
