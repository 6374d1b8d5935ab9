// SPDX-License-Identifier: Apache-2.0
// The library's symbols: AscendCL's, all of them, and nothing else.
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <regex>
#include <set>
#include <string>

#include "tests/runtime/hostacl/acl_session.h"

namespace omserve::hostacl {
namespace {

std::string OutputOf(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
  REQUIRE(pipe != nullptr);
  std::string text;
  std::array<char, 4096> part{};
  while (std::fgets(part.data(), part.size(), pipe.get()) != nullptr) {
    text += part.data();
  }
  return text;
}

std::set<std::string> DeclaredFunctions() {
  const std::regex declaration(R"(OMSERVE_ACL_API [^;(]*?(acl\w+)\()");
  std::set<std::string> names;
  for (const char* part : {"mdl", "prof", "rt"}) {
    std::ifstream header(
        fmt::format("{}/runtime/acl/acl_abi_{}.h", std::string(OMSERVE_SOURCE_DIR), part));
    const std::string text((std::istreambuf_iterator<char>(header)),
                           std::istreambuf_iterator<char>());
    for (std::sregex_iterator found(text.begin(), text.end(), declaration), end; found != end;
         ++found) {
      names.insert((*found)[1]);
    }
  }
  return names;
}

// Every function that the header declares is exported, and no symbol besides.
TEST_CASE("The library exports the declared functions and nothing else") {
  const std::string symbols =
      OutputOf("nm -D --defined-only " OMSERVE_BINARY_DIR "/lib/libascendcl.so");
  const std::regex line(R"(\S+ (\S) (\S+))");
  std::set<std::string> exported;
  for (std::sregex_iterator found(symbols.begin(), symbols.end(), line), end; found != end;
       ++found) {
    exported.insert((*found)[2]);
  }
  const std::set<std::string> declared = DeclaredFunctions();
  CHECK(declared.size() > 200);
  CHECK(exported == declared);
}

}  // namespace
}  // namespace omserve::hostacl
