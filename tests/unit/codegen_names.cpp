// codegen_names.cpp: names of a spec as identifiers nobody can break out of.
#include "codegen/names.h"

#include "tests/catch.h"

using gradc::identifier;

TEST_CASE("identifiers are safe whatever the spec says") {
  CHECK(identifier("classify.dense1.W") == "classify_dense1_W");
  CHECK(identifier("x") == "x");
  for (const char* word : {"class", "and", "xor_eq", "co_await", "seed", "step", "workspace", "int32_t",
                           "std", "gradc", "NULL", "main", "EOF", "M_PI", "linux"}) {
    CHECK(identifier(word) == std::string(word) + "_");
  }
  CHECK(identifier("") == "v");
  CHECK(identifier("3d") == "v3d");
  CHECK(identifier("_x__y_") == "x_y");
  CHECK(identifier("a\"; int main() {") == "a_int_main");
  CHECK(identifier("ä€") == "v");
  CHECK(identifier(std::string(5000, 'a')).size() <= 201);
}

TEST_CASE("each identifier is handed out once") {
  gradc::Names names;
  CHECK(names.fresh("a.b") == "a_b");
  CHECK(names.fresh("a_b") == "a_b2");
  CHECK(names.fresh("a.b") == "a_b3");
  CHECK(names.fresh("x1") == "x1");
  CHECK(names.fresh("x1") == "x1_2");
  CHECK(names.fresh("class") == "class_");
  CHECK(names.fresh("class") == "class_2");
  names.reserve("y");
  CHECK(names.fresh("y") == "y2");
}
