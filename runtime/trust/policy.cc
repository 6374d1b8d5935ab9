// SPDX-License-Identifier: Apache-2.0
#include "runtime/trust/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/json_fields.h"
#include "runtime/base/pattern.h"
#include "runtime/trust/certificates.h"
#include "runtime/trust/digest.h"

namespace omserve::trust {
namespace {

constexpr std::array<std::pair<std::string_view, TrustMode>, 3> kModes = {
    {{"off", TrustMode::kOff}, {"warn", TrustMode::kWarn}, {"require", TrustMode::kRequire}}};

template <typename... Args>
absl::Status Denied(fmt::format_string<Args...> text, Args&&... args) {
  return MakeStatus(absl::StatusCode::kPermissionDenied,
                    fmt::format(text, std::forward<Args>(args)...));
}

bool IsOf(const SignerRule& rule, const Signer& signer) {
  if (!rule.key_fingerprint.empty()) {
    return DigestFromHex(rule.key_fingerprint) == DigestFromHex(signer.key_fingerprint);
  }
  // A '*' takes '/' and '@' too: "*@example.org" must not fit a URI that ends so.
  return std::any_of(
      signer.identities.begin(), signer.identities.end(), [&rule](const std::string& identity) {
        return FitsPattern(rule.identity, identity) &&
               (rule.identity == "*" || KindOfIdentity(rule.identity) == KindOfIdentity(identity));
      });
}

bool IsFor(const SignerRule& rule, std::string_view model) {
  return rule.models.empty() ||
         std::any_of(rule.models.begin(), rule.models.end(),
                     [model](const std::string& pattern) { return FitsPattern(pattern, model); });
}

}  // namespace

std::string_view TrustModeName(TrustMode mode) {
  const auto* const found = std::find_if(
      kModes.begin(), kModes.end(), [mode](const auto& entry) { return entry.second == mode; });
  return found == kModes.end() ? "unknown" : found->first;
}

std::optional<TrustMode> TrustModeFromName(std::string_view name) {
  const auto* const found = std::find_if(kModes.begin(), kModes.end(),
                                         [name](const auto& entry) { return entry.first == name; });
  return found == kModes.end() ? std::nullopt : std::optional(found->second);
}

absl::Status TrustPolicy::Validate() const {
  for (size_t i = 0; i < signers.size(); ++i) {
    const SignerRule& rule = signers[i];
    if (rule.identity.empty() == rule.key_fingerprint.empty()) {
      return InvalidArgument(
          "signers[{}]: expected one of 'identity' and 'key_fingerprint', got {}", i,
          rule.identity.empty() ? "neither" : "both");
    }
    if (!rule.key_fingerprint.empty() && !DigestFromHex(rule.key_fingerprint).has_value()) {
      return InvalidArgument(
          "signers[{}]: key_fingerprint is '{}', expected 64 hexadecimal digits, as of sha256sum "
          "over the public key's PEM file",
          i, Shown(rule.key_fingerprint));
    }
    if (std::any_of(rule.models.begin(), rule.models.end(),
                    [](const std::string& pattern) { return pattern.empty(); })) {
      return InvalidArgument("signers[{}]: models has an empty pattern, which fits no model", i);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckMaySign(const TrustPolicy& policy, const SignedStatement& signed_statement,
                          std::string_view model, int64_t version) {
  const Statement& statement = signed_statement.statement;
  const Signer& signer = signed_statement.signer;
  if (statement.model != model) {
    return Denied("the signature of {} is of model '{}', not of '{}'; sign this model's folder",
                  signer.Text(), Shown(statement.model), Shown(model));
  }
  if (statement.version.value_or(version) != version) {
    return Denied("the signature of {} is of version {} of model '{}', not of version {}",
                  signer.Text(), *statement.version, Shown(model), version);
  }
  if (policy.signers.empty()) {
    return absl::OkStatus();
  }
  bool is_listed = false;
  for (const SignerRule& rule : policy.signers) {
    if (IsOf(rule, signer)) {
      if (IsFor(rule, model)) {
        return absl::OkStatus();
      }
      is_listed = true;
    }
  }
  if (is_listed) {
    return Denied("{} may not sign model '{}', only others", signer.Text(), Shown(model));
  }
  return Denied("{} is none of the {} signers that may sign", signer.Text(), policy.signers.size());
}

}  // namespace omserve::trust
