// SPDX-License-Identifier: Apache-2.0
// The guard of all ports: who calls, and whether they may.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "server/core/auth/access_counters.h"
#include "server/core/auth/access_policy.h"
#include "server/core/auth/evidence.h"
#include "server/core/auth/restrictions.h"

namespace omserve::server {

// Who makes a call that was let in.
struct Caller {
  std::shared_ptr<const KnownClient> client;  // Null: nobody was asked who they are.
  std::string peer;                           // Of control operations.

  bool MayUse(std::string_view model) const { return client == nullptr || client->MayUse(model); }
  // For the log: "ops@ipv4:10.0.0.7:40312", or the address alone.
  std::string Who() const { return client == nullptr ? peer : client->name + "@" + peer; }
};

enum class Protocol { kGrpc, kHttp };

// Thread-safe. The file of clients is looked at again while it serves, at most once a second and by
// whoever calls then; one that cannot be used is told, and the last good one counts.
class Access final {
 public:
  struct Options {
    std::string clients_file;  // Empty: everybody may do everything, but for what follows.
    bool open_metrics = true;
    bool control_on_public_ports = false;
    Restrictions grpc;
    Restrictions http;
  };
  // Reads the file. `clock` outlives it. Errors: Clients::Parse's; kInvalidArgument for a file that
  // cannot be read.
  static absl::StatusOr<std::unique_ptr<Access>> Make(Options options, const Clock& clock);

  // Lets a call in, or says why not. What is refused is counted. Errors: kUnauthenticated where
  // nobody is known, kPermissionDenied where they may not; as Triton has it, kUnavailable for a
  // restricted method over gRPC.
  absl::StatusOr<Caller> Admit(const Evidence& evidence, const Operation& operation, PortKind port,
                               Protocol protocol) ABSL_LOCKS_EXCLUDED(mu_);
  // For a model that was not known when the call was let in. Errors: kPermissionDenied.
  absl::Status CheckModel(const Caller& caller, std::string_view model);

  const AccessCounters& counters() const { return counters_; }

 private:
  Access(Options options, const Clock& clock);

  // OK with null: who calls does not say who they are.
  absl::StatusOr<std::shared_ptr<const KnownClient>> Identify(const Evidence& evidence);
  std::shared_ptr<const Clients> Table() ABSL_LOCKS_EXCLUDED(mu_);
  void LookAtFile() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Refuse(AccessVerdict verdict, const Operation& operation, const KnownClient* client);

  const Options options_;
  const AccessRules rules_;
  const Clock& clock_;
  AccessCounters counters_;
  // When the file is looked at next, of the clock: a hint, read relaxed.
  std::atomic<int64_t> next_look_{0};
  // Whoever sets it is the one that looks. What is found is ordered by the mutex.
  std::atomic<bool> is_looking_{false};

  Mutex mu_;
  std::shared_ptr<const Clients> table_ ABSL_GUARDED_BY(mu_);
  std::string text_ ABSL_GUARDED_BY(mu_);  // Of the file, as it was last looked at.
};

}  // namespace omserve::server
