# cmake -DINPUTS="a.nn;b.nn" -DFOLDER=where -DOUTPUT=prelude.cpp -P EmbedPrelude.cmake: the texts, joined, as
# raw string literals.

set(rest "")
foreach(input ${INPUTS})
  file(READ "${FOLDER}/${input}" text)
  string(APPEND rest "${text}")
endforeach()
string(LENGTH "${rest}" length)
set(pieces "")
# A compiler need not take a literal beyond 64 KiB, so the text is cut at ends of lines; adjacent
# literals join again.
while(NOT rest STREQUAL "")
  string(SUBSTRING "${rest}" 0 8000 piece)
  string(FIND "${piece}" "\n" end REVERSE)
  math(EXPR end "${end} + 1")
  if(end EQUAL 0)
    message(FATAL_ERROR "${INPUTS}: a line is longer than 8000 bytes, or the last one does not end")
  endif()
  string(SUBSTRING "${rest}" 0 ${end} piece)
  string(SUBSTRING "${rest}" ${end} -1 rest)
  string(APPEND pieces "      R\"prelude(${piece})prelude\"\n")
endwhile()
file(WRITE "${OUTPUT}" "// Generated from prelude.nn.
#include \"dsl/prelude.h\"

namespace gradc {

std::string_view prelude_text() {
  return {
${pieces}      , ${length}};
}

}  // namespace gradc
")
