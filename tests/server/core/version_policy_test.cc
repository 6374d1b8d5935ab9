// SPDX-License-Identifier: Apache-2.0
#include "server/core/version_policy.h"

#include <catch2/catch.hpp>

#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using inference::ModelVersionPolicy;
using Versions = std::vector<int64_t>;

ModelVersionPolicy Latest(uint32_t count) {
  ModelVersionPolicy policy;
  policy.mutable_latest()->set_num_versions(count);
  return policy;
}

// A folder with three versions and no policy: the highest is served.
TEST_CASE("SelectVersions: the default is the latest version", "[version_policy]") {
  CHECK(VALUE(SelectVersions({}, {1, 3, 20})) == Versions{20});
  CHECK(VALUE(SelectVersions(Latest(0), {1, 3, 20})) == Versions{20});
}

// More versions asked for than there are: all of them, in order.
TEST_CASE("SelectVersions: the latest n versions", "[version_policy]") {
  CHECK(VALUE(SelectVersions(Latest(2), {1, 3, 20})) == Versions{3, 20});
  CHECK(VALUE(SelectVersions(Latest(9), {1, 3, 20})) == Versions{1, 3, 20});
  CHECK(VALUE(SelectVersions(Latest(2), {})).empty());
}

// "all" serves everything there is.
TEST_CASE("SelectVersions: all versions", "[version_policy]") {
  ModelVersionPolicy policy;
  policy.mutable_all();
  CHECK(VALUE(SelectVersions(policy, {1, 3})) == Versions{1, 3});
}

// Versions by number, out of order and one twice: each is served once.
TEST_CASE("SelectVersions: specific versions", "[version_policy]") {
  ModelVersionPolicy policy;
  for (const int64_t version : {3, 1, 3}) {
    policy.mutable_specific()->add_versions(version);
  }
  CHECK(VALUE(SelectVersions(policy, {1, 2, 3})) == Versions{1, 3});
}

// A specific version without a folder: an error that names it and those that are there.
TEST_CASE("SelectVersions: a specific version that is missing", "[version_policy]") {
  ModelVersionPolicy policy;
  policy.mutable_specific()->add_versions(7);
  const absl::Status status = SelectVersions(policy, {1, 2}).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(MessageOf(status) ==
        "version_policy asks for version 7, but the folder has [1,2]; add the folder '7' or take "
        "the version out of the policy");
}

// What clients may write: nothing, or a whole number above 0.
TEST_CASE("ParseVersion: valid texts", "[version_policy]") {
  CHECK_FALSE(VALUE(ParseVersion("")).has_value());
  CHECK(VALUE(ParseVersion("12")) == 12);
}

// What they may not: everything else, in Triton's words.
TEST_CASE("ParseVersion: other texts are refused", "[version_policy]") {
  for (const char* text : {"abc", "0", "-1", "1.5", " 1", "1 ", "99999999999999999999"}) {
    const absl::Status status = ParseVersion(text).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(MessageOf(status) == "failed to get model version from specified version string '" +
                                   std::string(text) +
                                   "', version should be an integral value > 0");
  }
}

// A version as long as a message: the error does not repeat it.
TEST_CASE("ParseVersion: a long text is cut in the message", "[version_policy]") {
  CHECK(MessageOf(ParseVersion(std::string(100000, '9')).status()).size() < 300);
}

}  // namespace
}  // namespace omserve::server
