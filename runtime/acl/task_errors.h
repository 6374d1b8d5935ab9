// SPDX-License-Identifier: Apache-2.0
// Failures of tasks that AscendCL reports after the call that enqueued them has returned.
//
// AscendCL takes one plain function pointer per process for them (aclrtSetExceptionInfoCallback),
// without an argument of the caller's. So this table is the one piece of process-wide state in
// omserve: there is no other way from that function to an object.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "runtime/acl/symbols.h"
#include "runtime/base/mutex.h"

namespace omserve::acl {

// Thread-safe.
class TaskErrors final {
 public:
  // The process's table.
  static TaskErrors& Get();

  TaskErrors(const TaskErrors&) = delete;
  TaskErrors& operator=(const TaskErrors&) = delete;

  // Registers the callback with the library. kFailedPrecondition when it is registered already.
  absl::Status Install(const Symbols& symbols) ABSL_LOCKS_EXCLUDED(mu_);
  // Takes the callback back and forgets all failures. Requires Install.
  void Uninstall(const Symbols& symbols) ABSL_LOCKS_EXCLUDED(mu_);

  // From now on failures of this stream are kept; `stream_id` is -1 when the library cannot say.
  // Gives the key for Take and Unwatch.
  uint64_t Watch(int32_t device_id, int32_t stream_id) ABSL_LOCKS_EXCLUDED(mu_);
  void Unwatch(uint64_t watch) ABSL_LOCKS_EXCLUDED(mu_);

  // The first failure since the last Take; OK when there was none.
  absl::Status Take(uint64_t watch) ABSL_LOCKS_EXCLUDED(mu_);
  // The same by AscendCL's number of the stream; -1 means those without a number.
  absl::Status TakeByStream(int32_t device_id, int32_t stream_id) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Watched {
    int32_t device_id = 0;
    int32_t stream_id = -1;
    aclError code = ACL_SUCCESS;
    std::string text;
  };

  TaskErrors() = default;
  static void OnException(aclrtExceptionInfo* info) noexcept;
  void Report(int32_t device_id, int32_t stream_id, aclError code, const std::string& text)
      ABSL_LOCKS_EXCLUDED(mu_);
  static absl::Status TakeFrom(Watched& watched);

  Mutex mu_;
  bool installed_ ABSL_GUARDED_BY(mu_) = false;
  // A copy: the functions stay callable when the Runtime is gone, since libraries are never closed.
  Symbols symbols_ ABSL_GUARDED_BY(mu_);
  uint64_t next_watch_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<uint64_t, Watched> watched_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::acl
