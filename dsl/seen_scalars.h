// seen_scalars.h: which scalars a walk over a body has been to.
#pragma once

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "dsl/graph.h"

namespace gradc {

// Most bodies have a few scalars: looking at all of them is faster than a hash table made anew for each walk.
class SeenScalars {
 public:
  // Whether it was not there before.
  bool insert(ScalarId id) {
    if (!many_.empty()) return many_.insert(id).second;
    if (std::find(few_.begin(), few_.end(), id) != few_.end()) return false;
    few_.push_back(id);
    if (few_.size() > 48) many_.insert(few_.begin(), few_.end());
    return true;
  }

 private:
  std::vector<ScalarId> few_;
  std::unordered_set<ScalarId> many_;
};

}  // namespace gradc
