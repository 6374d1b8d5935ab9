// SPDX-License-Identifier: Apache-2.0
// Who may sign which models: a decision without state, clock or lock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "runtime/trust/verifier.h"

namespace omserve::trust {

enum class TrustMode {
  kOff,      // Signatures are not looked at.
  kWarn,     // What is wrong with a signature is told, and the model is loaded all the same.
  kRequire,  // A model without a good signature is not loaded.
};
std::string_view TrustModeName(TrustMode mode);  // "off", "warn", "require".
std::optional<TrustMode> TrustModeFromName(std::string_view name);

// Patterns: '*' stands for any text (runtime/base/pattern.h).
struct SignerRule {
  // Pattern for a name in a certificate, of its kind (KindOfIdentity) unless it is "*"; or empty,
  // and then
  std::string identity;
  std::string key_fingerprint;      // PublicKey::fingerprint, of a key alone or a certificate's.
  std::vector<std::string> models;  // Patterns; empty: all.
};

// Of one repository. A value.
struct TrustPolicy {
  TrustMode mode = TrustMode::kOff;
  // Empty: whoever the roots vouch for may sign every model.
  std::vector<SignerRule> signers;

  // Errors: kInvalidArgument naming the rule, counted from 0.
  absl::Status Validate() const;
};

// Whether the statement is of this model and version, and its signer may sign this model. `model`
// is the name that the model is loaded by; a statement without a version (others' tools write
// none) is of the version whose files it names. The mode is the caller's to follow.
// Errors: kPermissionDenied with the names.
absl::Status CheckMaySign(const TrustPolicy& policy, const SignedStatement& signed_statement,
                          std::string_view model, int64_t version);

}  // namespace omserve::trust
