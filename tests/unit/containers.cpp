// containers.cpp: what graphs and walks over them keep things in, beside the library's.
#include <random>
#include <unordered_map>
#include <vector>

#include "dsl/arguments.h"
#include "dsl/id_map.h"
#include "dsl/stable_list.h"
#include "tests/catch.h"

namespace {

using namespace gradc;

TEST_CASE("an IdMap finds what was put in, few entries and many") {
  std::mt19937 random(1);
  for (const std::uint32_t most : {4u, 20u, 5000u}) {
    IdMap<NodeId, int> map;
    std::unordered_map<std::uint32_t, int> expected;
    std::vector<std::uint32_t> order;
    for (int k = 0; k < 3000; ++k) {
      const std::uint32_t id = random() % most;
      if (!expected.contains(id)) order.push_back(id);
      if (k % 3 == 0) {
        map[NodeId{id}] = k;
        expected[id] = k;
      } else {
        const auto [it, added] = map.try_emplace(NodeId{id}, k);
        CHECK(added == expected.try_emplace(id, k).second);
        CHECK(it->second == expected.at(id));
      }
    }
    CHECK(map.size() == expected.size());
    for (std::uint32_t id = 0; id < most + 10; ++id) {
      const auto it = map.find(NodeId{id});
      const auto known = expected.find(id);
      CHECK((it != map.end()) == (known != expected.end()));
      if (known != expected.end()) CHECK(it->second == known->second);
    }
    std::vector<std::uint32_t> entries;
    for (const auto& [id, value] : map) entries.push_back(id.value);
    CHECK(entries == order);
    map.clear();
    CHECK(!map.contains(NodeId{order[0]}));
  }
}

TEST_CASE("arguments are those that were given, whether they are few or many") {
  for (std::uint32_t count = 0; count < 9; ++count) {
    std::vector<ScalarId> ids;
    for (std::uint32_t k = 0; k < count; ++k) ids.push_back(ScalarId{10 + k});
    Arguments args = ids;
    const Arguments copy = args;
    CHECK(args.size() == ids.size());
    CHECK((std::vector<ScalarId>(args) == ids));
    for (ScalarId& a : args) a.value += 1;
    CHECK((args == copy) == (count == 0));
    CHECK((std::vector<ScalarId>(copy) == ids));
    if (count == 0) continue;
    args = copy;
    args.erase(count - 1);
    ids.pop_back();
    CHECK((std::vector<ScalarId>(args) == ids));
  }
}

TEST_CASE("what a StableList holds stays where it is, in a copy as well") {
  StableList<int> list;
  std::vector<const int*> places;
  const auto grow = [&](StableList<int>& a, int count) {
    for (int k = 0; k < count; ++k) {
      a.push_back(static_cast<int>(a.size()));
      if (&a == &list) places.push_back(&a[a.size() - 1]);
    }
  };
  grow(list, 300);
  StableList<int> copy = list;
  const int* const first = &copy[0];
  const int* const last = &copy[299];
  grow(copy, 1000);
  grow(list, 700);
  CHECK(list.size() == 1000u);
  CHECK(copy.size() == 1300u);
  for (std::size_t k = 0; k < list.size(); ++k) {
    CHECK(list[k] == static_cast<int>(k));
    CHECK(&list[k] == places[k]);
  }
  CHECK(first == &copy[0]);
  CHECK(last == &copy[299]);
}

}  // namespace
