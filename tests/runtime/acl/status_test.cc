// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/status.h"

#include <catch2/catch.hpp>
#include <string>

#include "runtime/base/status_macros.h"

namespace omserve::acl {
namespace {

using Catch::Matchers::Contains;

std::string Words(const absl::Status& status) { return std::string(omserve::MessageOf(status)); }

const char* TwoLines() noexcept { return "EZ9999: Inner error\r\n  \t\n\tthe core stopped \n"; }
const char* Nothing() noexcept { return nullptr; }

Symbols SymbolsSaying(const char* (*words)() noexcept) {
  Symbols symbols;
  symbols.aclGetRecentErrMsg = words;
  return symbols;
}

// A code of 0 is success, whatever the library has to say about earlier calls.
TEST_CASE("AclStatus of success is OK") {
  CHECK(AclStatus(SymbolsSaying(&TwoLines), "aclrtMalloc", ACL_SUCCESS).ok());
  CHECK(AclStatusWithText("aclrtMalloc", ACL_SUCCESS, "old words").ok());
}

// The message holds the call, the number, its name, cause and advice, and the library's words, in
// one line.
TEST_CASE("AclStatus tells all that is known") {
  const absl::Status status =
      AclStatus(SymbolsSaying(&TwoLines), "aclrtSynchronizeStream", ACL_ERROR_RT_AICORE_EXCEPTION);
  CHECK(Words(status) ==
        "aclrtSynchronizeStream failed with 507015 (ACL_ERROR_RT_AICORE_EXCEPTION): a program "
        "stopped on an AI Core, often at an address out of range; reset the device or restart "
        "omserved; if the same model or input brings it back, check its index and shape inputs and "
        "the device's log; the device says: EZ9999: Inner error | the core stopped");
}

// A library without words, or too old to have the function, leaves what the code means.
TEST_CASE("AclStatus works without words") {
  const std::string expected =
      "aclrtFree failed with 107000 (ACL_ERROR_RT_PARAM_INVALID): the device runtime got a wrong "
      "argument; report it as a bug of omserve, with the log around it";
  CHECK(Words(AclStatus(SymbolsSaying(&Nothing), "aclrtFree", 107000)) == expected);
  CHECK(Words(AclStatus(Symbols(), "aclrtFree", 107000)) == expected);
}

// The first digit decides the status code: 1 is our bug, 2 a resource, 5 a fault.
TEST_CASE("AclStatus maps by class") {
  const auto code_of = [](aclError code) { return AclStatus(Symbols(), "f", code).code(); };
  CHECK(code_of(100000) == absl::StatusCode::kInternal);
  CHECK(code_of(107002) == absl::StatusCode::kInternal);
  CHECK(code_of(145003) == absl::StatusCode::kInternal);
  CHECK(code_of(200000) == absl::StatusCode::kResourceExhausted);
  CHECK(code_of(207001) == absl::StatusCode::kResourceExhausted);
  CHECK(code_of(245000) == absl::StatusCode::kResourceExhausted);
  CHECK(code_of(399999) == absl::StatusCode::kInternal);
  CHECK(code_of(500002) == absl::StatusCode::kInternal);
  CHECK(code_of(507014) == absl::StatusCode::kInternal);
  CHECK(code_of(-7) == absl::StatusCode::kInternal);
}

// CANN's library for linking only is as good as none, and the message says what to do.
TEST_CASE("AclStatus knows the stub library") {
  const absl::Status status = AclStatus(Symbols(), "aclInit", ACL_ERROR_COMPILING_STUB_MODE);
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK_THAT(Words(status), Contains("stub library") && Contains("loader's path"));
}

// Memory that is used up comes with the remedy.
TEST_CASE("AclStatus gives the remedy for used up memory") {
  CHECK_THAT(Words(AclStatus(Symbols(), "aclrtMalloc of 7 bytes on device 0", 207001)),
             Contains("aclrtMalloc of 7 bytes on device 0") && Contains("fewer models"));
}

// A refusal of the file is the file's fault; a device that is out of memory is not.
TEST_CASE("ModelFileStatus tells the file's faults from the device's") {
  const auto code_of = [](aclError code) { return ModelFileStatus(Symbols(), "f", code).code(); };
  CHECK(ModelFileStatus(Symbols(), "f", ACL_SUCCESS).ok());
  for (const aclError refusal : {100012, 100015, 145000, 145006, 500002, 507008, 545001, 545005}) {
    INFO(refusal);
    CHECK(code_of(refusal) == absl::StatusCode::kInvalidArgument);
  }
  CHECK(code_of(207001) == absl::StatusCode::kResourceExhausted);
  CHECK(code_of(107002) == absl::StatusCode::kInternal);
  CHECK(code_of(507010) == absl::StatusCode::kInternal);
  CHECK_THAT(Words(ModelFileStatus(SymbolsSaying(&TwoLines), "load", 500002)),
             Contains("the core stopped") && Contains("matching ATC"));
}

}  // namespace
}  // namespace omserve::acl
