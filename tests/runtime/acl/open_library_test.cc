// SPDX-License-Identifier: Apache-2.0
// What an operator is told where AscendCL, a library of it, or its driver is missing.
#include <catch2/catch.hpp>
#include <string>

#include "runtime/acl/symbols.h"
#include "tests/runtime/acl/acl_fixture.h"

namespace omserve::acl {
namespace {

using Catch::Matchers::Contains;

std::string WhyNot(const std::string& library, const std::string& config_file = "") {
  const absl::Status status =
      Runtime::Open({.library = library, .config_file = config_file}).status();
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  std::string words(MessageOf(status));
  CHECK_THAT(words, Contains(library));
  CHECK(words.find('\n') == std::string::npos);
  return words;
}

// No such file: install CANN, or use the CPU device, which is named.
TEST_CASE("a library that is not there asks for CANN") {
  CHECK_THAT(WhyNot("no/such/libascendcl.so"),
             Contains("No such file") && Contains("install CANN and source its set_env.sh") &&
                 Contains("without an NPU"));
}

// CANN is there and its driver is not, as in a container that was not given the driver's folder.
TEST_CASE("a library without the driver's library asks for the driver") {
  CHECK_THAT(WhyNot(OMSERVE_LIBRARY_WITHOUT_DRIVER), Contains("libascend_hal.so") &&
                                                         Contains("the NPU's driver is missing") &&
                                                         Contains("/usr/local/Ascend/driver"));
}

// Another library that it needs is not in the loader's path: the environment is not set.
TEST_CASE("a library without another of CANN's asks for set_env.sh") {
  CHECK_THAT(WhyNot(OMSERVE_LIBRARY_WITHOUT_OTHER),
             Contains("libruntime.so") && Contains("source CANN's set_env.sh"));
}

// A file that is not a library of this machine.
TEST_CASE("a damaged library is told from a missing one") {
  REQUIRE_OK(WriteFileAtomically("damaged.so", "not a library"));
  CHECK_THAT(WhyNot("./damaged.so"), Contains("damaged or made for another processor"));
}

// The number of functions that are missing beside the first shows how far off the library is.
TEST_CASE("a library of too few functions names the first and counts the others") {
  CHECK_THAT(WhyNot(OMSERVE_PARTIAL_LIBRARY),
             Contains("aclrtSetExceptionInfoCallback (nor ") && Contains("CANN 5.0 or newer"));
}

// Whatever function notices first that there is no driver, and whatever code it takes for that, the
// operator is asked to look at the driver.
TEST_CASE("a driver that fails at opening is unavailable") {
  for (const char* failure :
       {"aclInit=500004", "aclInit=507899", "aclInit=507033", "aclInit=500003",
        "aclrtGetDeviceCount=507000", "aclrtGetDeviceCount=507899"}) {
    INFO(failure);
    const absl::Status status =
        Runtime::Open({.library = OMSERVE_FAILING_LIBRARY, .config_file = failure}).status();
    CHECK(status.code() == absl::StatusCode::kUnavailable);
    CHECK_THAT(std::string(MessageOf(status)),
               Contains(std::string(failure).substr(std::string(failure).find('=') + 1)) &&
                   Contains("npu-smi info") && Contains("/dev/davinci") &&
                   Contains(OMSERVE_FAILING_LIBRARY));
  }
}

// The same when the device is opened; a device that is lost has advice of its own, and no driver to
// be looked at.
TEST_CASE("a device that cannot be set is unavailable") {
  struct Expected {
    const char* failure;
    absl::StatusCode code;
    const char* words;
  };
  for (const Expected& expected :
       {Expected{"aclrtSetDevice=507000", absl::StatusCode::kUnavailable, "npu-smi info"},
        Expected{"aclrtSetDevice=507033", absl::StatusCode::kUnavailable, "cannot be opened"},
        Expected{"aclrtSetDevice=207004", absl::StatusCode::kUnavailable, "no NPU is visible"},
        Expected{"aclrtSetDevice=207006", absl::StatusCode::kUnavailable, "HwHiAiUser"},
        Expected{"aclrtSetDevice=507010", absl::StatusCode::kInternal, "does not answer"},
        Expected{"no_device=0", absl::StatusCode::kUnavailable, "shows no device"}}) {
    INFO(expected.failure);
    const std::unique_ptr<Runtime> runtime =
        VALUE(Runtime::Open({.library = OMSERVE_FAILING_LIBRARY, .config_file = expected.failure}));
    const absl::Status status = runtime->OpenDevice(0).status();
    CHECK(status.code() == expected.code);
    CHECK_THAT(std::string(MessageOf(status)), Contains(expected.words));
  }
}

// The stub for linking opens as a library and is refused by its first answer.
TEST_CASE("the stub library is unavailable") {
  const absl::Status status =
      Runtime::Open({.library = OMSERVE_FAILING_LIBRARY, .config_file = "aclInit=100039"}).status();
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK_THAT(std::string(MessageOf(status)), Contains("stub library for linking"));
}

// Every optional function says since when it exists and what is done without it; an old library
// has none of them, the CPU device all.
TEST_CASE("the functions of a library can be listed") {
  size_t optional_count = 0;
  for (const SymbolRow& row : SymbolRows()) {
    INFO(row.name);
    CHECK(row.name.starts_with("acl"));
    CHECK(row.is_strict == row.fallback.empty());
    CHECK_FALSE(row.since.empty());
    optional_count += row.is_strict ? 0 : 1;
  }
  CHECK(optional_count > 10);
  {
    const std::unique_ptr<Runtime> old_runtime =
        VALUE(Runtime::Open({.library = OMSERVE_LEGACY_LIBRARY, .config_file = ""}));
    for (const SymbolRow& row : SymbolRows()) {
      INFO(row.name);
      CHECK(row.is_found(old_runtime->symbols()) == row.is_strict);
    }
  }
  const std::unique_ptr<Runtime> runtime = VALUE(testing::TryOpenRuntime(""));
  for (const SymbolRow& row : SymbolRows()) {
    INFO(row.name);
    CHECK(row.is_found(runtime->symbols()));
  }
}

}  // namespace
}  // namespace omserve::acl
