// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/error_table.h"

#include <algorithm>
#include <catch2/catch.hpp>

namespace omserve::acl {
namespace {

// Every row is complete and reads inside a sentence; names are AscendCL's and occur once.
TEST_CASE("every listed code has a name, a cause and its class") {
  for (const ErrorInfo& info : ErrorTable()) {
    INFO(info.code << " " << info.name);
    CHECK(info.name.starts_with("ACL_"));
    CHECK_FALSE(info.cause.empty());
    CHECK_FALSE(info.cause.ends_with('.'));
    CHECK_FALSE(info.advice.ends_with('.'));
    CHECK(info.cause.find('\n') == std::string_view::npos);
    CHECK(&DescribeError(info.code) == &info);
    CHECK(std::ranges::count(ErrorTable(), info.name, &ErrorInfo::name) == 1);
    CHECK((info.code == ACL_SUCCESS) == (info.error_class == ErrorClass::kNone));
    CHECK((info.code == ACL_SUCCESS) == (info.status_code == absl::StatusCode::kOk));
    CHECK(info.error_class != ErrorClass::kUnknown);
  }
}

// Only a fault that leaves the context dead asks for a reset, and all of those do.
TEST_CASE("a device is unusable after the codes that ask for a reset") {
  for (const ErrorInfo& info : ErrorTable()) {
    INFO(info.code << " " << info.name);
    CHECK(info.device_unusable == (info.retry == Retry::kAfterReset));
    CHECK(DeviceIsUnusableAfter(info.code) == info.device_unusable);
  }
  for (const aclError code : {507010, 507011, 507014, 507015, 507034, 507035, 507053}) {
    INFO(code);
    CHECK(DeviceIsUnusableAfter(code));
  }
  for (const aclError code : {0, 107003, 207001, 500002, 507012, 507046, 507999, 7, -1}) {
    INFO(code);
    CHECK_FALSE(DeviceIsUnusableAfter(code));
  }
}

// A code that is not listed is told by its first digit, and has that class's status.
TEST_CASE("codes that are not listed are described by their class") {
  struct Expected {
    aclError code;
    ErrorClass error_class;
    absl::StatusCode status_code;
    std::string_view name;
  };
  for (const Expected& expected :
       {Expected{199999, ErrorClass::kCaller, absl::StatusCode::kInternal, "a caller's fault"},
        Expected{299999, ErrorClass::kResource, absl::StatusCode::kResourceExhausted,
                 "a resource that is used up or missing"},
        Expected{399999, ErrorClass::kBusiness, absl::StatusCode::kInternal,
                 "a refusal by the service"},
        Expected{599999, ErrorClass::kDevice, absl::StatusCode::kInternal,
                 "an internal or device fault"},
        Expected{7, ErrorClass::kUnknown, absl::StatusCode::kInternal, "an unknown code"},
        Expected{499999, ErrorClass::kUnknown, absl::StatusCode::kInternal, "an unknown code"},
        Expected{-200001, ErrorClass::kUnknown, absl::StatusCode::kInternal, "an unknown code"}}) {
    INFO(expected.code);
    const ErrorInfo& info = DescribeError(expected.code);
    CHECK(info.code == kUnlistedCode);
    CHECK(info.error_class == expected.error_class);
    CHECK(info.status_code == expected.status_code);
    CHECK(info.name == expected.name);
  }
}

// Names that operators search for.
TEST_CASE("codes are found by number") {
  CHECK(DescribeError(0).name == "ACL_SUCCESS");
  CHECK(DescribeError(100000).name == "ACL_ERROR_INVALID_PARAM");
  CHECK(DescribeError(148047).name == "ACL_ERROR_PROF_API_CONFLICT");
  CHECK(DescribeError(507033).status_code == absl::StatusCode::kUnavailable);
  CHECK(DescribeError(545601).name == "ACL_ERROR_GE_MODEL_EXECUTE_TIMEOUT");
}

}  // namespace
}  // namespace omserve::acl
