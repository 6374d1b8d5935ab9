# SPDX-License-Identifier: Apache-2.0
# How a library, a program and a test are declared here. Files are listed, never globbed.

option(OMSERVE_BUILD_TESTS "Build the tests." ON)
option(OMSERVE_FUZZ "Build the libFuzzer targets (clang only)." OFF)
option(OMSERVE_PCH "Precompile the headers that most files read." ON)
option(OMSERVE_UNITY "Compile the files of a library or a test a few at a time." ON)
option(OMSERVE_WERROR "Treat warnings as errors." OFF)
set(OMSERVE_SANITIZER "" CACHE STRING
    "Sanitizers for everything, e.g. address,undefined or thread.")

find_program(OMSERVE_CCACHE ccache)
if(OMSERVE_CCACHE)
  # Paths below the checkout count as relative: a second checkout finds what the first one built.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros ${OMSERVE_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()
find_program(OMSERVE_MOLD mold)
if(OMSERVE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# The same for libraries and programs: a precompiled header serves one set of options.
add_compile_options(-fPIC -pthread)

if(OMSERVE_SANITIZER)
  add_compile_options(-fsanitize=${OMSERVE_SANITIZER} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${OMSERVE_SANITIZER})
  if(OMSERVE_SANITIZER MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()
if(OMSERVE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

set(OMSERVE_WARNINGS
    -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast
    -Wextra-semi -Wimplicit-fallthrough
    # Designated initialisers name what differs from the default; the rest is meant to be left out.
    -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # -Wnull-dereference is left out: gcc 12 reports it inside std::variant and absl::StatusOr at -O2.
  list(APPEND OMSERVE_WARNINGS -Wduplicated-cond -Wlogical-op)
else()
  list(APPEND OMSERVE_WARNINGS -Wthread-safety -Wthread-safety-beta)
endif()
if(OMSERVE_WERROR)
  list(APPEND OMSERVE_WARNINGS -Werror)
endif()

# Of the files of a library or a test ten are compiled as one: most of a file's time goes into the
# headers that it shares with the next. The dev preset compiles each by itself.
set(OMSERVE_UNITY_FILES 10)

# omserve_alone(file...): of this folder, files with names of their own that others have too.
function(omserve_alone)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# omserve_compile_together(target): but for those files.
function(omserve_compile_together target)
  set_target_properties(${target} PROPERTIES
    UNITY_BUILD ${OMSERVE_UNITY} UNITY_BUILD_BATCH_SIZE ${OMSERVE_UNITY_FILES})
endfunction()

# What most files read is compiled once for libraries, once more for tests with Catch2, and for the
# tests that speak to a daemon with their fixture (tests/server), of whose time it takes more than
# half. The dev preset does without: there a file that forgets an include fails.
set(OMSERVE_COMMON_HEADERS
    <algorithm> <array> <atomic> <chrono> <deque> <filesystem> <functional> <map> <memory> <mutex>
    <optional> <random> <set> <span> <sstream> <string> <string_view> <thread> <unordered_map>
    <utility> <variant> <vector>
    <absl/status/status.h> <absl/status/statusor.h> <fmt/format.h>)

# Of the tests' own files the compiler takes most of the time, not the processor that runs them.
set(OMSERVE_TEST_OPTIONS -O0)

# omserve_cache_headers(target): what ccache needs, where headers are precompiled.
function(omserve_cache_headers target)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fpch-preprocess)
  else()
    target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
endfunction()

# omserve_precompiled_headers(NAME name [OPTIONS option...] HEADERS header... DEPS target...)
# What targets with the same options may reuse.
function(omserve_precompiled_headers)
  cmake_parse_arguments(H "" "NAME" "HEADERS;DEPS;OPTIONS" ${ARGN})
  if(NOT OMSERVE_PCH)
    return()
  endif()
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${H_NAME}.cc CONTENT "")
  add_library(${H_NAME} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${H_NAME}.cc)
  target_include_directories(${H_NAME} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${H_NAME} PRIVATE ${H_DEPS})
  target_precompile_headers(${H_NAME} PRIVATE ${H_HEADERS})
  target_compile_options(${H_NAME} PRIVATE ${H_OPTIONS})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(${H_NAME} PRIVATE -fpch-instantiate-templates)
  endif()
  omserve_cache_headers(${H_NAME})
endfunction()

# omserve_reuse_headers(target precompiled): `target` reads them before each of its files.
function(omserve_reuse_headers target precompiled)
  if(NOT OMSERVE_PCH)
    return()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${precompiled})
  # The compiler takes them only where what they asked about is defined as it was for them.
  target_compile_definitions(${target} PRIVATE
    $<TARGET_PROPERTY:fmt::fmt,INTERFACE_COMPILE_DEFINITIONS>)
  omserve_cache_headers(${target})
endfunction()

# omserve_library(NAME name SRCS ... HEADERS ... DEPS public... PRIVATE_DEPS private...)
# Makes library omserve_<name> with alias omserve::<name>. Includes are written from the root.
function(omserve_library)
  cmake_parse_arguments(L "" "NAME" "SRCS;HEADERS;DEPS;PRIVATE_DEPS" ${ARGN})
  set(target omserve_${L_NAME})
  if(L_SRCS)
    add_library(${target} STATIC ${L_SRCS} ${L_HEADERS})
    set(scope PUBLIC)
    target_compile_options(${target} PRIVATE ${OMSERVE_WARNINGS})
    target_link_libraries(${target} PUBLIC ${L_DEPS} PRIVATE ${L_PRIVATE_DEPS})
    omserve_reuse_headers(${target} omserve_library_headers)
    omserve_compile_together(${target})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
    target_link_libraries(${target} INTERFACE ${L_DEPS})
  endif()
  target_include_directories(${target} ${scope} ${CMAKE_SOURCE_DIR})
  add_library(omserve::${L_NAME} ALIAS ${target})
endfunction()

# omserve_program(NAME name SRCS ... DEPS ...): bin/<name>.
function(omserve_program)
  cmake_parse_arguments(P "" "NAME" "SRCS;DEPS" ${ARGN})
  add_executable(${P_NAME} ${P_SRCS})
  target_compile_options(${P_NAME} PRIVATE ${OMSERVE_WARNINGS})
  target_link_libraries(${P_NAME} PRIVATE ${P_DEPS})
  omserve_reuse_headers(${P_NAME} omserve_library_headers)
endfunction()

# omserve_test(NAME name SRCS ... DEPS ... LABELS label... [TIMEOUT seconds] [STRICT]
#   [HEADERS precompiled] [OPTIMISED])
# A Catch2 program registered as one ctest. Labels: unit, component, conformance, sim, protocol,
# load, fuzz, tidy, e2e; and registry, beside one of these, for what guards models on disk. The
# test runs in its own empty folder; OMSERVE_SOURCE_DIR and OMSERVE_BINARY_DIR are compile
# definitions for finding data and programs. STRICT: the CPU device ends the test at the first use
# of AscendCL that a chip would answer with silent damage. OPTIMISED: as the daemon is, for a test
# whose figures somebody reads, or whose own files do most of its work.
function(omserve_test)
  cmake_parse_arguments(T "STRICT;OPTIMISED" "NAME;TIMEOUT;HEADERS" "SRCS;DEPS;LABELS" ${ARGN})
  add_executable(${T_NAME} ${T_SRCS})
  target_compile_options(${T_NAME} PRIVATE ${OMSERVE_WARNINGS})
  target_link_libraries(${T_NAME} PRIVATE ${T_DEPS} omserve_test_main)
  target_compile_definitions(${T_NAME} PRIVATE
    OMSERVE_SOURCE_DIR="${CMAKE_SOURCE_DIR}" OMSERVE_BINARY_DIR="${CMAKE_BINARY_DIR}")
  if(T_OPTIMISED)
    set(T_HEADERS omserve_library_headers)
  else()
    target_compile_options(${T_NAME} PRIVATE ${OMSERVE_TEST_OPTIONS})
  endif()
  if(NOT T_HEADERS)
    set(T_HEADERS omserve_test_headers)
  endif()
  omserve_reuse_headers(${T_NAME} ${T_HEADERS})
  omserve_compile_together(${T_NAME})
  set_target_properties(${T_NAME} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/bin)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/tests/run/${T_NAME})
  add_test(NAME ${T_NAME} COMMAND ${T_NAME}
    WORKING_DIRECTORY ${CMAKE_BINARY_DIR}/tests/run/${T_NAME})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  set_tests_properties(${T_NAME} PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT})
  if(T_STRICT)
    set_tests_properties(${T_NAME} PROPERTIES ENVIRONMENT HOSTACL_STRICT=abort)
  endif()
endfunction()

# omserve_fuzzer(NAME name SRCS ... DEPS ... CORPUS dir [RUNS n])
# Under OMSERVE_FUZZ a libFuzzer program; otherwise the same entry point is driven by
# tests/fuzz/replay_main.cc over the corpus and seeded mutations of it, so that every build tests
# it.
function(omserve_fuzzer)
  cmake_parse_arguments(F "" "NAME;CORPUS;RUNS" "SRCS;DEPS" ${ARGN})
  if(NOT F_RUNS)
    set(F_RUNS 20000)
  endif()
  if(OMSERVE_FUZZ)
    add_executable(${F_NAME} ${F_SRCS})
    target_link_options(${F_NAME} PRIVATE -fsanitize=fuzzer)
    add_test(NAME ${F_NAME} COMMAND ${F_NAME} -runs=${F_RUNS} -timeout=10 ${F_CORPUS})
  else()
    add_executable(${F_NAME} ${F_SRCS} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME ${F_NAME} COMMAND ${F_NAME} ${F_RUNS} ${F_CORPUS})
  endif()
  target_compile_options(${F_NAME} PRIVATE ${OMSERVE_WARNINGS})
  target_link_libraries(${F_NAME} PRIVATE ${F_DEPS})
  set_target_properties(${F_NAME} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/bin)
  set_tests_properties(${F_NAME} PROPERTIES LABELS fuzz TIMEOUT 300)
endfunction()
