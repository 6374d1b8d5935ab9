// SPDX-License-Identifier: Apache-2.0
// What has been decided about models and has to outlive the daemon: where labels lead, how traffic
// is shared, which signed versions are too old.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/base/mutex.h"
#include "server/core/model_routes.h"

namespace omserve::server {

struct ModelRecord {
  ModelRoutes routes;
  // Signed versions of a lower security epoch are not loaded.
  uint64_t epoch_floor = 0;
  // Versions that did worse than the one before, with a digest of what their files were like.
  std::map<int64_t, std::string> rolled_back;

  bool operator==(const ModelRecord&) const = default;
};
using ModelRecords = std::map<std::string, ModelRecord>;  // By model.

// As JSON, and back. Errors: kInvalidArgument for anything else, and for routes that no operator
// could have made.
std::string FormatRecords(const ModelRecords& records);
absl::StatusOr<ModelRecords> ParseRecords(std::string_view text);

// Thread-safe. Every change is one replacement of one file: whenever the machine stops, what is
// found then is the state before it or after it.
class RegistryState final {
 public:
  // An empty path: nothing is kept. Errors: kInvalidArgument for a file that cannot be read; to go
  // on without what it says could serve what was taken back. Blocks on the disk.
  static absl::StatusOr<std::unique_ptr<RegistryState>> Open(const std::string& path);
  RegistryState(const RegistryState&) = delete;
  RegistryState& operator=(const RegistryState&) = delete;

  ModelRecord Get(const std::string& model) const ABSL_LOCKS_EXCLUDED(mu_);
  ModelRecords All() const ABSL_LOCKS_EXCLUDED(mu_);
  // `change` gets the model's record; where it returns OK, what it made of that is on the disk and
  // then counts. `then` is told of it before any other change. Errors: the change's; kUnavailable
  // when it cannot be written, and then nothing has changed. Blocks on the disk.
  absl::Status Change(const std::string& model,
                      const std::function<absl::Status(ModelRecord& record)>& change,
                      const std::function<void(const ModelRecord& record)>& then)
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  RegistryState(std::string path, ModelRecords records)
      : path_(std::move(path)), records_(std::move(records)) {}

  const std::string path_;
  mutable Mutex mu_;  // Held while it is written.
  ModelRecords records_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::server
