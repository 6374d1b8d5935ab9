// SPDX-License-Identifier: Apache-2.0
#include "server/core/auth/access.h"

#include <chrono>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/status_macros.h"

namespace omserve::server {
namespace {

constexpr size_t kMostFileBytes = size_t{4} << 20;
constexpr std::chrono::nanoseconds kLookInterval = std::chrono::seconds(1);
constexpr size_t kShownBytes = 256;

absl::Status PermissionDenied(const std::string& text) {
  return MakeStatus(absl::StatusCode::kPermissionDenied, text);
}

absl::Status Unauthenticated(const std::string& text) {
  return MakeStatus(absl::StatusCode::kUnauthenticated, text);
}

}  // namespace

Access::Access(Options options, const Clock& clock)
    : options_(std::move(options)),
      rules_{.asks_who = !options_.clients_file.empty(),
             .open_metrics = options_.open_metrics,
             .control_on_public_ports = options_.control_on_public_ports},
      clock_(clock) {}

absl::StatusOr<std::unique_ptr<Access>> Access::Make(Options options, const Clock& clock) {
  std::unique_ptr<Access> access(new Access(std::move(options), clock));  // NOLINT: private.
  const std::string& file = access->options_.clients_file;
  if (file.empty()) {
    return access;
  }
  absl::StatusOr<std::string> text = ReadFile(file, kMostFileBytes);
  if (!text.ok()) {
    return InvalidArgument("auth.file cannot be read: {}", MessageOf(text.status()));
  }
  ASSIGN_OR_RETURN(std::shared_ptr<const Clients> table, Clients::Parse(*text, file));
  access->next_look_ = (clock.Now().time_since_epoch() + kLookInterval).count();
  const MutexLock lock(access->mu_);
  access->table_ = std::move(table);
  access->text_ = *std::move(text);
  return access;
}

std::shared_ptr<const Clients> Access::Table() {
  const int64_t now = clock_.Now().time_since_epoch().count();
  if (now >= next_look_.load(std::memory_order_relaxed) && !is_looking_.exchange(true)) {
    LookAtFile();
    next_look_.store(now + kLookInterval.count(), std::memory_order_relaxed);
    is_looking_ = false;
  }
  const MutexLock lock(mu_);
  return table_;
}

void Access::LookAtFile() {
  // A file that is gone is looked at as one that is empty: it holds nothing that is of use.
  std::string text = ReadFile(options_.clients_file, kMostFileBytes).value_or("");
  {
    const MutexLock lock(mu_);
    if (text == text_) {
      return;
    }
    text_ = text;
  }
  counters_.file_reads.fetch_add(1, std::memory_order_relaxed);
  absl::StatusOr<std::shared_ptr<const Clients>> table =
      text.empty() ? InvalidArgument("'{}' is empty or gone", options_.clients_file)
                   : Clients::Parse(text, options_.clients_file);
  if (!table.ok()) {
    counters_.file_failures.fetch_add(1, std::memory_order_relaxed);
    OMSERVE_LOG(kError, "access", "the clients of before still count: {}",
                MessageOf(table.status()));
    return;
  }
  OMSERVE_LOG(kInfo, "access", "clients were read again file=\"{}\" clients={}",
              options_.clients_file, (*table)->size());
  const MutexLock lock(mu_);
  table_ = *std::move(table);
}

absl::StatusOr<std::shared_ptr<const KnownClient>> Access::Identify(const Evidence& evidence) {
  const std::shared_ptr<const Clients> table = Table();
  const auto shared = [&table](const KnownClient* client) {
    return std::shared_ptr<const KnownClient>(table, client);
  };
  // Who sends a token wants to be known by it, whatever certificate the connection has.
  if (const std::string_view authorization = evidence.Field("authorization");
      !authorization.empty()) {
    const std::optional<std::string_view> token = BearerToken(authorization);
    const KnownClient* const client = token.has_value() ? table->FindToken(*token) : nullptr;
    if (client == nullptr) {
      counters_.Count(AccessRefusal::kUnknownToken);
      return Unauthenticated(token.has_value() ? "the token is not known"
                                               : "'authorization' is not 'Bearer TOKEN'");
    }
    return shared(client);
  }
  const PeerCertificate certificate = evidence.Certificate();
  if (certificate.subject.empty() && certificate.names.empty()) {
    counters_.Count(AccessRefusal::kNoCredentials);
    return Unauthenticated(
        "credentials are missing: send 'authorization: Bearer TOKEN', or a client certificate");
  }
  const KnownClient* const client = table->FindCertificate(certificate);
  if (client == nullptr) {
    counters_.Count(AccessRefusal::kUnknownCertificate);
    return Unauthenticated(fmt::format("no client has the certificate of '{}'",
                                       certificate.subject.substr(0, kShownBytes)));
  }
  return shared(client);
}

absl::Status Access::Refuse(AccessVerdict verdict, const Operation& operation,
                            const KnownClient* client) {
  const std::string name = client == nullptr ? "" : client->name;
  switch (verdict) {
    case AccessVerdict::kAdminPort:
      counters_.Count(AccessRefusal::kAdminPort);
      return PermissionDenied(
          "control operations are not served on this port: use the admin port (admin.grpc_port, "
          "admin.http_port), or set admin.control_on_public_ports to serve them here");
    case AccessVerdict::kRole:
      counters_.Count(AccessRefusal::kRole);
      return PermissionDenied(fmt::format("client '{}' has the role {}, and this needs {}", name,
                                          client == nullptr ? "" : RoleName(client->role),
                                          RoleName(RoleFor(operation))));
    case AccessVerdict::kModel:
      counters_.Count(AccessRefusal::kModel);
      return PermissionDenied(fmt::format("client '{}' may not use model '{}'", name,
                                          operation.model.substr(0, kShownBytes)));
    case AccessVerdict::kNobody:
      counters_.Count(AccessRefusal::kNoCredentials);
      return Unauthenticated("credentials are missing");
    case AccessVerdict::kAllowed:
      break;
  }
  return absl::OkStatus();
}

absl::StatusOr<Caller> Access::Admit(const Evidence& evidence, const Operation& operation,
                                     PortKind port, Protocol protocol) {
  const Restrictions& restrictions = protocol == Protocol::kGrpc ? options_.grpc : options_.http;
  if (port != PortKind::kHealth) {
    if (const std::string* header = restrictions.Missing(operation.group, evidence)) {
      counters_.Count(AccessRefusal::kRestricted);
      if (protocol == Protocol::kGrpc) {
        return Unavailable("This protocol is restricted, expecting header '{}'", *header);
      }
      return PermissionDenied(
          fmt::format("This API is restricted, expecting header '{}'", *header));
    }
  }
  Caller caller;
  // What is refused to everybody here is refused before anybody has to say who they are.
  const bool has_to_ask = !IsOpen(rules_, operation, port) &&
                          DecideAccess(rules_, operation, port, nullptr) == AccessVerdict::kNobody;
  if (has_to_ask) {
    ASSIGN_OR_RETURN(caller.client, Identify(evidence));
  }
  const AccessVerdict verdict = DecideAccess(rules_, operation, port, caller.client.get());
  if (verdict != AccessVerdict::kAllowed) {
    return Refuse(verdict, operation, caller.client.get());
  }
  if (operation.is_control) {
    caller.peer = evidence.Peer();
  }
  return caller;
}

absl::Status Access::CheckModel(const Caller& caller, std::string_view model) {
  if (caller.MayUse(model)) {
    return absl::OkStatus();
  }
  return Refuse(AccessVerdict::kModel, Operation(MethodGroup::kInference, model),
                caller.client.get());
}

}  // namespace omserve::server
