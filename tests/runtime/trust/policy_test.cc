// SPDX-License-Identifier: Apache-2.0
#include "runtime/trust/policy.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/runtime/trust/signing_room.h"

namespace omserve::trust {
namespace {

using Catch::Matchers::Contains;

const std::string kKey(64, 'a');

SignedStatement By(std::vector<std::string> identities) {
  return {.signer = {.identities = std::move(identities), .key_fingerprint = kKey},
          .statement = SmallStatement()};
}

TrustPolicy Policy(std::vector<SignerRule> signers) {
  TrustPolicy policy{.mode = TrustMode::kRequire, .signers = std::move(signers)};
  REQUIRE_OK(policy.Validate());
  return policy;
}

TEST_CASE("Modes have names", "[policy]") {
  for (const TrustMode mode : {TrustMode::kOff, TrustMode::kWarn, TrustMode::kRequire}) {
    CHECK(TrustModeFromName(TrustModeName(mode)) == mode);
  }
  CHECK_FALSE(TrustModeFromName("Require").has_value());
  CHECK(TrustPolicy().mode == TrustMode::kOff);
}

// A signature is of one model and version, whoever signed.
TEST_CASE("A signature speaks for its own model only", "[policy]") {
  const SignedStatement found = By({"a@example.org"});
  CHECK(CheckMaySign({}, found, "m", 2).ok());
  const absl::Status other = CheckMaySign({}, found, "n", 2);
  CHECK(other.code() == absl::StatusCode::kPermissionDenied);
  CHECK_THAT(ErrorOf(other),
             Contains("the signature of a@example.org is of model 'm', not of 'n'"));
  CHECK_THAT(ErrorOf(CheckMaySign({}, found, "m", 3)),
             Contains("is of version 2 of model 'm', not of version 3"));
  SignedStatement of_others = found;
  of_others.statement.version.reset();
  CHECK(CheckMaySign({}, of_others, "m", 3).ok());
}

// One rule that fits the signer and the model is enough; the message tells which was lacking.
TEST_CASE("Who may sign which models", "[policy]") {
  const TrustPolicy policy =
      Policy({{.identity = "*@example.org", .key_fingerprint = "", .models = {"x*", "m"}},
              {.identity = "root", .key_fingerprint = "", .models = {}},
              {.identity = "", .key_fingerprint = std::string(64, 'B'), .models = {"m"}},
              {.identity = "late@example.com", .key_fingerprint = "", .models = {"x"}}});
  CHECK(CheckMaySign(policy, By({"a@example.org"}), "m", 2).ok());
  CHECK(CheckMaySign(policy, By({"nobody", "root"}), "m", 2).ok());
  const absl::Status model = CheckMaySign(policy, By({"late@example.com"}), "m", 2);
  CHECK(model.code() == absl::StatusCode::kPermissionDenied);
  CHECK_THAT(ErrorOf(model), Contains("late@example.com may not sign model 'm'"));
  CHECK_THAT(ErrorOf(CheckMaySign(policy, By({"a@example.org.evil"}), "m", 2)),
             Contains("a@example.org.evil is none of the 4 signers"));
  CHECK_THAT(ErrorOf(CheckMaySign(policy, By({}), "m", 2)), Contains("key aaaa"));
  SignedStatement of_key = By({});
  of_key.signer.key_fingerprint = std::string(64, 'b');
  CHECK(CheckMaySign(policy, of_key, "m", 2).ok());
}

// A certificate cannot pass for a key by its name, nor the other way round.
TEST_CASE("Names and keys are told apart", "[policy]") {
  const TrustPolicy of_key = Policy({{.identity = "", .key_fingerprint = kKey, .models = {}}});
  SignedStatement impostor = By({kKey});
  impostor.signer.key_fingerprint = std::string(64, 'c');
  CHECK_FALSE(CheckMaySign(of_key, impostor, "m", 2).ok());
  CHECK(CheckMaySign(of_key, By({"anybody"}), "m", 2).ok());  // The key is the same.
  const TrustPolicy of_name = Policy({{.identity = kKey, .key_fingerprint = "", .models = {}}});
  CHECK_FALSE(CheckMaySign(of_name, By({}), "m", 2).ok());
  // Nobody's name is everybody's pattern.
  const TrustPolicy of_all = Policy({{.identity = "*", .key_fingerprint = "", .models = {}}});
  CHECK_FALSE(CheckMaySign(of_all, By({}), "m", 2).ok());
}

TEST_CASE("Policies that are refused", "[policy]") {
  const std::pair<SignerRule, const char*> wrongs[] = {
      {{}, "signers[0]: expected one of 'identity' and 'key_fingerprint', got neither"},
      {{.identity = "a", .key_fingerprint = kKey, .models = {}}, "got both"},
      {{.identity = "", .key_fingerprint = "abc", .models = {}},
       "key_fingerprint is 'abc', expected 64 hexadecimal digits"},
      {{.identity = "a", .key_fingerprint = "", .models = {""}}, "models has an empty pattern"}};
  for (const auto& [rule, message] : wrongs) {
    const TrustPolicy policy{.mode = TrustMode::kRequire, .signers = {rule}};
    CHECK(absl::IsInvalidArgument(policy.Validate()));
    CHECK_THAT(ErrorOf(policy.Validate()), Contains(message));
  }
}

}  // namespace
}  // namespace omserve::trust
