// polynomial.h: a normal form of sums, products and quotients over atoms.
#pragma once

#include "dsl/graph.h"

namespace gradc {

// `id` expanded, like terms collected, common factors taken out. Atoms are what is no arithmetic;
// an atom that is 0 unless a condition holds stays under the condition. A sum stays together where
// taking it apart might lose digits. The same id if the expansion grows too large. The result may be
// worse than the argument; the caller compares.
ScalarId collected(Graph&, ScalarId);

bool is_arithmetic(const Graph&, ScalarId);  // a float sum, difference, product, quotient, sign

}  // namespace gradc
