// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/dynamic_library.h"

#include <array>
#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/status_test_util.h"

namespace omserve {
namespace {

using Catch::Matchers::Contains;

// Where no library opens, the error is "try again later" and names each name that was tried.
TEST_CASE("A missing library names all that was tried") {
  const std::array<std::string, 2> names = {"libomserve-none-a.so", "/nowhere/libnone-b.so"};
  const absl::Status status = DynamicLibrary::Open(names).status();
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  const std::string message(MessageOf(status));
  CHECK_THAT(message, Contains("'libomserve-none-a.so'"));
  CHECK_THAT(message, Contains("'/nowhere/libnone-b.so'"));
  CHECK_THAT(message, Contains("No such file or directory"));
}

// A file that is no library is refused with the loader's words.
TEST_CASE("A file that is no library is refused") {
  const std::array<std::string, 1> names = {OMSERVE_SOURCE_DIR "/CMakeLists.txt"};
  const absl::Status status = DynamicLibrary::Open(names).status();
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK_THAT(std::string(MessageOf(status)), Contains("CMakeLists.txt"));
}

// The first name that opens is taken; its symbols are found and others are null.
TEST_CASE("The first library that opens is taken") {
  const std::array<std::string, 3> names = {"libomserve-none.so", "libm.so.6", "libc.so.6"};
  const DynamicLibrary library = VALUE(DynamicLibrary::Open(names));
  CHECK(library.name() == "libm.so.6");
  CHECK(library.Find("cos") != nullptr);
  CHECK(library.Find("omserve_no_such_symbol") == nullptr);
}

// What was tried before the library that opened is told with the loader's words, and its file is
// known.
TEST_CASE("Names tried in vain are told beside the library that opened") {
  const std::array<std::string, 3> names = {"libomserve-none.so",
                                            OMSERVE_SOURCE_DIR "/CMakeLists.txt", "libm.so.6"};
  std::vector<DynamicLibrary::Failure> failures;
  const DynamicLibrary library = VALUE(DynamicLibrary::Open(names, failures));
  REQUIRE(failures.size() == 2);
  CHECK(failures[0].name == "libomserve-none.so");
  CHECK_THAT(failures[0].reason, Contains("No such file or directory"));
  CHECK(failures[1].name == names[1]);
  const std::filesystem::path file = library.path();
  CHECK(file.is_absolute());
  CHECK(std::filesystem::exists(file));
}

// The program's folder holds the program.
TEST_CASE("The program's folder is absolute and holds the program") {
  const std::filesystem::path folder = ProgramFolder();
  CHECK(folder.is_absolute());
  CHECK(std::filesystem::exists(folder / "base_test"));
}

}  // namespace
}  // namespace omserve
