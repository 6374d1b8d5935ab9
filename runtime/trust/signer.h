// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/trust/keys.h"
#include "runtime/trust/statement.h"

namespace omserve::trust {

// The text of a bundle in which `key` signs `statement`. `certificates` (DER): none, or the key's
// own and then those that lead to an authority, at most kMostChainLength. Errors: kInvalidArgument
// for a statement without a form, or a certificate of another key; kInternal from OpenSSL.
absl::StatusOr<std::string> SignStatement(const Statement& statement, const PrivateKey& key,
                                          const std::vector<std::string>& certificates);

}  // namespace omserve::trust
