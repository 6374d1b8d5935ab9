// SPDX-License-Identifier: Apache-2.0
// Who may call: the file of clients as a table.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/auth/evidence.h"
#include "server/core/auth/tokens.h"

namespace omserve::server {

// Each may do what those before it may.
enum class Role {
  kInfer,    // Uses models.
  kControl,  // Loads and unloads them, and has them traced.
  kAdmin,    // Everything: all models, and the server's settings.
};
std::string_view RoleName(Role role);

struct KnownClient {
  std::string name;
  Role role = Role::kInfer;
  std::vector<std::string> models;  // Patterns (runtime/base/pattern.h); empty: all.

  bool MayUse(std::string_view model) const;
};

// Immutable, and so thread-safe.
class Clients final {
 public:
  // From the text of the file `file` (proto/omserve/clients.proto as YAML). Errors:
  // kInvalidArgument with "FILE:LINE:COLUMN: ..." lines.
  static absl::StatusOr<std::shared_ptr<const Clients>> Parse(const std::string& text,
                                                              const std::string& file);

  // Null: nobody has it. Takes the same time for every token.
  const KnownClient* FindToken(std::string_view token) const;
  // Its subject comes before its names, and these in the certificate's order.
  const KnownClient* FindCertificate(const PeerCertificate& certificate) const;
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    KnownClient client;
    bool has_token = false;
    TokenHash token_hash{};
    std::string subject;
    std::string certificate_name;
  };
  std::vector<Entry> entries_;
};

}  // namespace omserve::server
