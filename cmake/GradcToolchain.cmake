# Compiler cache, linker and warnings for gradc's own targets; nothing here reaches a project that embeds gradc.

find_program(GRADC_CCACHE ccache)
if(GRADC_CCACHE AND PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${GRADC_CCACHE})
endif()

find_program(GRADC_MOLD mold)
if(GRADC_MOLD AND PROJECT_IS_TOP_LEVEL)
  add_link_options(-fuse-ld=mold)
endif()

if(NOT CMAKE_BUILD_TYPE AND PROJECT_IS_TOP_LEVEL)
  set(CMAKE_BUILD_TYPE Release)
endif()

# gradc_library(<name> SOURCES … LINKS …): a static C++20 library with the project's warnings. What most files of
# the compiler include is compiled once, with gradc_syntax: that halves a build from nothing.
function(gradc_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_LINKS})
  gradc_target(${name})
  if("${ARG_LINKS}" MATCHES "gradc_(graph|dsl|codegen)")
    target_precompile_headers(${name} REUSE_FROM gradc_syntax)
  elseif(name STREQUAL gradc_syntax)
    target_precompile_headers(${name} PRIVATE
      <algorithm> <functional> <map> <optional> <set> <string> <unordered_map> <variant> <vector>
      <fmt/format.h>)
  endif()
endfunction()

function(gradc_target name)
  target_compile_features(${name} PUBLIC cxx_std_20)
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wpedantic -Wshadow
    # GCC 12 takes the appending of a literal to a string for an overlapping copy (PR 105651).
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
    $<$<BOOL:${GRADC_WERROR}>:-Werror>)
endfunction()
