// SPDX-License-Identifier: Apache-2.0
#include "server/core/auth/clients.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "config/source_map.h"
#include "config/text_binding.h"
#include "proto/omserve/clients.pb.h"
#include "runtime/base/errors.h"
#include "runtime/base/pattern.h"
#include "runtime/base/status_macros.h"

namespace omserve::server {
namespace {

using config::FieldPath;
using config::Findings;
using config::IndexedPath;
using config::Quoted;

constexpr size_t kMostClients = 10'000;
constexpr size_t kMostNameBytes = 64;

std::optional<Role> RoleFromName(std::string_view name) {
  for (const Role role : {Role::kInfer, Role::kControl, Role::kAdmin}) {
    if (name == RoleName(role)) {
      return role;
    }
  }
  return std::nullopt;
}

bool IsName(std::string_view text) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !text.empty() && text.size() <= kMostNameBytes &&
         text.find_first_not_of(kAllowed) == std::string_view::npos;
}

void Check(const ClientConfig& client, const std::string& path, Findings& findings) {
  if (!IsName(client.name())) {
    findings.Error(FieldPath(path, "name"),
                   fmt::format("expected 1 to {} letters, digits, '.', '_' and '-', got {}",
                               kMostNameBytes, Quoted(client.name())));
  }
  const std::optional<Role> role = RoleFromName(client.role());
  if (!role.has_value()) {
    findings.Error(FieldPath(path, "role"),
                   fmt::format("expected infer, control or admin, got {}", Quoted(client.role())));
  } else if (*role == Role::kAdmin && client.models_size() > 0) {
    findings.Error(FieldPath(path, "models"),
                   "an admin may use all models; leave the key out, or give the role control");
  }
  const int credentials = (client.token_sha256().empty() ? 0 : 1) +
                          (client.subject().empty() ? 0 : 1) +
                          (client.certificate_name().empty() ? 0 : 1);
  if (credentials != 1) {
    findings.Error(path, fmt::format("expected one of token_sha256, subject and certificate_name, "
                                     "got {} of them",
                                     credentials));
  }
  if (!client.token_sha256().empty() && !HashFromHex(client.token_sha256()).has_value()) {
    findings.Error(FieldPath(path, "token_sha256"),
                   "expected 64 hexadecimal digits, as omctl token new prints them");
  }
}

}  // namespace

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kInfer:
      return "infer";
    case Role::kControl:
      return "control";
    case Role::kAdmin:
      return "admin";
  }
  return "unknown";
}

bool KnownClient::MayUse(std::string_view model) const {
  return models.empty() ||
         std::any_of(models.begin(), models.end(),
                     [model](const std::string& pattern) { return FitsPattern(pattern, model); });
}

absl::StatusOr<std::shared_ptr<const Clients>> Clients::Parse(const std::string& text,
                                                              const std::string& file) {
  ClientsFile message;
  ASSIGN_OR_RETURN(const config::SourceMap source,
                   config::BindText(config::TextFormat::kYaml, text, file, message));
  Findings findings(source);
  auto clients = std::make_shared<Clients>();
  std::set<TokenHash> hashes;
  std::set<std::string> subjects;
  std::set<std::string> names;
  if (static_cast<size_t>(message.clients_size()) > kMostClients) {
    findings.Error("clients", fmt::format("expected at most {}", kMostClients));
    return findings.ToStatus();
  }
  for (int i = 0; i < message.clients_size(); ++i) {
    const ClientConfig& client = message.clients(i);
    const std::string path = IndexedPath("clients", static_cast<size_t>(i));
    Check(client, path, findings);
    Entry& entry = clients->entries_.emplace_back();
    entry.client = {.name = client.name(),
                    .role = RoleFromName(client.role()).value_or(Role::kInfer),
                    .models = {client.models().begin(), client.models().end()}};
    const std::optional<TokenHash> hash = HashFromHex(client.token_sha256());
    entry.has_token = hash.has_value();
    entry.token_hash = hash.value_or(TokenHash());
    entry.subject = client.subject();
    entry.certificate_name = client.certificate_name();
    if (hash.has_value() && !hashes.insert(*hash).second) {
      findings.Error(FieldPath(path, "token_sha256"), "another client has the same token");
    }
    if (!entry.subject.empty() && !subjects.insert(entry.subject).second) {
      findings.Error(FieldPath(path, "subject"), "another client has the same");
    }
    if (!entry.certificate_name.empty() && !names.insert(entry.certificate_name).second) {
      findings.Error(FieldPath(path, "certificate_name"), "another client has the same");
    }
    // The key has a place of its own in the file when it is there.
    const bool has_models = source.Locate(FieldPath(path, "models")) != source.Locate(path);
    if (client.models().empty() && has_models) {
      findings.Error(FieldPath(path, "models"),
                     "an empty list; leave the key out for all models, and the client for none");
    }
  }
  RETURN_IF_ERROR(findings.ToStatus());
  return clients;
}

const KnownClient* Clients::FindToken(std::string_view token) const {
  const TokenHash hash = HashOf(token);
  const KnownClient* found = nullptr;
  for (const Entry& entry : entries_) {
    if (entry.has_token && AreEqual(entry.token_hash, hash)) {
      found = &entry.client;
    }
  }
  return found;
}

const KnownClient* Clients::FindCertificate(const PeerCertificate& certificate) const {
  const auto find = [this](const std::string Entry::*field, const std::string& value) {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return !value.empty() && entry.*field == value;
    });
    return found == entries_.end() ? nullptr : &found->client;
  };
  if (const KnownClient* client = find(&Entry::subject, certificate.subject)) {
    return client;
  }
  for (const std::string& name : certificate.names) {
    if (const KnownClient* client = find(&Entry::certificate_name, name)) {
      return client;
    }
  }
  return nullptr;
}

}  // namespace omserve::server
