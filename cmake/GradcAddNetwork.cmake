# gradc_add_network(<target> SPECS a.nn b.nn… [OUT_DIR dir] [OPTIONS option…] [TARGET cpp|cuda|…]
#                   [NATIVE | ISA x86-64-v3…])
#
# A static library of the C++ that gradc makes of the specs; whoever links <target> may include "a.hpp". The files go
# to OUT_DIR (default: <target>.gradc in the build folder). OPTIONS are handed to `gradc build` (say, -D hidden=64,
# --memory-limit=64MiB or --storage=bf16).
# TARGET cuda makes CUDA of them instead, for the architectures of CMAKE_CUDA_ARCHITECTURES; the project needs the
# language CUDA.
# NATIVE writes and compiles for the processor of this machine only, which is what makes it fast. ISA names others (see
# `gradc build --help`); of several the best is chosen when the network runs. An edit of a spec, or of
# a file it imports, or another gradc, runs gradc again; if the C++ comes out the same, nothing is compiled.
function(gradc_add_network target)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "NATIVE" "OUT_DIR;TARGET" "SPECS;OPTIONS;ISA")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "gradc_add_network(${target}): unknown arguments: ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT ARG_SPECS)
    message(FATAL_ERROR "gradc_add_network(${target}): needs SPECS")
  endif()
  if(NOT ARG_TARGET)
    set(ARG_TARGET cpp)
  endif()
  get_property(row GLOBAL PROPERTY GRADC_TARGET_${ARG_TARGET})
  if(NOT row)
    get_property(known GLOBAL PROPERTY GRADC_TARGETS)
    string(REPLACE ";" ", TARGET " known "${known}")
    message(FATAL_ERROR "gradc_add_network(${target}): there is TARGET ${known}, not '${ARG_TARGET}'")
  endif()
  list(POP_FRONT row extension language package library)
  if(language)
    if(NOT CMAKE_${language}_COMPILER)
      message(FATAL_ERROR "gradc_add_network(${target}): TARGET ${ARG_TARGET} needs the language ${language}: "
                          "project(… LANGUAGES CXX ${language}), or enable_language(${language})")
    endif()
    find_package(${package} REQUIRED)
  endif()
  if(NOT ARG_OUT_DIR)
    set(ARG_OUT_DIR ${CMAKE_CURRENT_BINARY_DIR}/${target}.gradc)
  endif()
  get_filename_component(out_dir ${ARG_OUT_DIR} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_BINARY_DIR})

  if(ARG_NATIVE AND ARG_ISA)
    message(FATAL_ERROR "gradc_add_network(${target}): NATIVE or ISA, not both")
  endif()
  get_property(known GLOBAL PROPERTY GRADC_ISAS)
  foreach(isa IN LISTS ARG_ISA)
    if(NOT isa IN_LIST known)
      string(REPLACE ";" ", " known "${known}")
      message(FATAL_ERROR "gradc_add_network(${target}): '${isa}' is not an ISA; there are ${known}")
    endif()
  endforeach()
  list(LENGTH ARG_ISA isa_count)
  if(ARG_NATIVE)
    list(PREPEND ARG_OPTIONS --isa=native)
  elseif(ARG_ISA)
    string(REPLACE ";" "," isas "${ARG_ISA}")
    list(PREPEND ARG_OPTIONS --isa=${isas})
  endif()
  set(sources)
  foreach(spec IN LISTS ARG_SPECS)
    get_filename_component(spec ${spec} ABSOLUTE)
    get_filename_component(name ${spec} NAME_WE)
    string(MAKE_C_IDENTIFIER ${name} as_identifier)
    if(NOT name STREQUAL as_identifier)
      message(FATAL_ERROR "gradc_add_network(${target}): '${name}.nn' would name a C++ namespace: "
                          "letters, digits and _ only, please")
    endif()
    set(variants)
    if(isa_count GREATER 1)
      foreach(isa IN LISTS ARG_ISA)
        string(MAKE_C_IDENTIFIER ${isa} as_identifier)
        get_property(flags GLOBAL PROPERTY GRADC_ISA_${isa})
        list(APPEND variants ${out_dir}/${name}_${as_identifier}.${extension})
        set_source_files_properties(${out_dir}/${name}_${as_identifier}.${extension} PROPERTIES COMPILE_OPTIONS "${flags}")
      endforeach()
    endif()
    add_custom_command(
      OUTPUT ${out_dir}/${name}.hpp ${out_dir}/${name}.${extension} ${variants}
      COMMAND $<TARGET_FILE:gradc::gradc> build ${spec} --target=${ARG_TARGET} -o ${out_dir} --depfile ${out_dir}/${name}.d ${ARG_OPTIONS}
      DEPENDS ${spec} $<TARGET_FILE:gradc::gradc>
      DEPFILE ${out_dir}/${name}.d
      COMMENT "gradc ${name}.nn"
      VERBATIM)
    list(APPEND sources ${out_dir}/${name}.${extension} ${out_dir}/${name}.hpp ${variants})
  endforeach()

  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC ${out_dir})
  target_link_libraries(${target} PUBLIC gradc::runtime)
  target_compile_features(${target} PUBLIC cxx_std_17)
  if(language)
    set_target_properties(${target} PROPERTIES ${language}_STANDARD 17 ${language}_STANDARD_REQUIRED ON)
    target_link_libraries(${target} PUBLIC ${library})
    return()
  endif()
  # ISO mode turns the contraction of a * b + c off in GCC; the emitted loops are written for it.
  target_compile_options(${target} PRIVATE
    $<$<CXX_COMPILER_ID:GNU,Clang,AppleClang>:-ffp-contract=fast -fno-math-errno -fno-trapping-math>
    $<$<AND:$<CXX_COMPILER_ID:GNU,Clang,AppleClang>,$<NOT:$<CONFIG:Debug>>>:-O3>)
  if(ARG_NATIVE)
    # Tuned for some processors with AVX-512, compilers take vectors of half that length; others ignore the option.
    set(wide)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
      set(wide -mprefer-vector-width=512)
    endif()
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU,Clang,AppleClang>:-march=native ${wide}>)
  elseif(isa_count EQUAL 1)
    get_property(flags GLOBAL PROPERTY GRADC_ISA_${ARG_ISA})
    target_compile_options(${target} PRIVATE ${flags})
  endif()
endfunction()
