// SPDX-License-Identifier: Apache-2.0
// What the profiling functions collect: which execution ran when, into a file or a pipe.
#pragma once

#include <atomic>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/acl/acl_abi.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/hostacl/acl_status.h"

namespace omserve::hostacl {

struct ExecutionRecord {
  uint32_t model_id = 0;
  std::string_view model_name;
  int32_t device = 0;
  int32_t stream = 0;
  Clock::time_point begin;
  Clock::time_point end;
  aclError code = ACL_SUCCESS;
};

// What aclprofCreateConfig was given.
struct ProfileConfig {
  std::set<uint32_t> devices;
  uint64_t data_types = 0;
};

// What aclprofCreateSubscribeConfig was given.
struct SubscribeConfig {
  bool with_times = false;
  int descriptor = -1;
};

// The writing end of a subscription's pipe; closed with it.
class OpPipe final {
 public:
  explicit OpPipe(const SubscribeConfig& config) : config_(config) {}
  ~OpPipe();
  OpPipe(const OpPipe&) = delete;
  OpPipe& operator=(const OpPipe&) = delete;
  // Blocks while the pipe is full. A record that cannot be written is logged.
  void Send(const ExecutionRecord& record) const;

 private:
  const SubscribeConfig config_;
};

// A started profile writes `timeline.json`, in the form that chrome://tracing and Perfetto read,
// into a folder PROF_<number>_<time>_<process> of its own. It writes as executions end, so that a
// program that dies leaves what it did.
//
//   off -> ready (Init) -> running (Start) -> ready (Stop) -> off (Finalize)
//
// Thread-safe.
class Profiler final {
 public:
  Profiler() = default;
  ~Profiler();
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

  // Makes the folder where it is missing. ACL_ERROR_PROF_ALREADY_RUN unless off,
  // ACL_ERROR_PROFILING_FAILURE.
  absl::Status Init(const std::string& folder);
  // Text of an option of aclprofSetConfig, none of which this device has a use for but the limit of
  // the storage. ACL_ERROR_PROF_NOT_RUN unless ready, ACL_ERROR_INVALID_PARAM.
  absl::Status SetOption(aclprofConfigType option, std::string_view text);
  // ACL_ERROR_PROF_NOT_RUN when off, ACL_ERROR_PROF_ALREADY_RUN when running,
  // ACL_ERROR_PROF_API_CONFLICT beside subscriptions, ACL_ERROR_PROFILING_FAILURE.
  absl::Status Start(const std::shared_ptr<const ProfileConfig>& config);
  // ACL_ERROR_PROF_NOT_RUN unless running with this configuration.
  absl::Status Stop(const std::shared_ptr<const ProfileConfig>& config);
  // Stops what runs. ACL_ERROR_PROF_NOT_RUN when off.
  absl::Status Finalize();

  // From now on each execution of the model writes one record into the pipe, blocking while it is
  // full. ACL_ERROR_PROF_REPEAT_SUBSCRIBE, ACL_ERROR_PROF_API_CONFLICT unless off or ready.
  absl::Status Subscribe(uint32_t model_id, const SubscribeConfig& config);
  // Closes the descriptor, once nobody writes. ACL_ERROR_INVALID_PARAM when there is no
  // subscription.
  absl::Status Unsubscribe(uint32_t model_id);

  // For every execution, after it. Costs one load of an atomic while nothing collects.
  void Record(const ExecutionRecord& record);

 private:
  enum class State { kOff, kReady, kRunning };

  void WriteEvent(const ExecutionRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CloseTimeline() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void UpdateCollecting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Relaxed: an execution beside Start or Stop may be seen or not.
  std::atomic<bool> collecting_{false};

  Mutex mu_;
  State state_ ABSL_GUARDED_BY(mu_) = State::kOff;
  std::string folder_ ABSL_GUARDED_BY(mu_);
  uint32_t started_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t limit_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // 0: none.
  std::shared_ptr<const ProfileConfig> config_ ABSL_GUARDED_BY(mu_);
  std::ofstream timeline_ ABSL_GUARDED_BY(mu_);
  uint64_t events_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t left_out_ ABSL_GUARDED_BY(mu_) = 0;  // Beyond the limit.
  // By model id. Shared with the executions that write just now.
  std::map<uint32_t, std::shared_ptr<const OpPipe>> pipes_ ABSL_GUARDED_BY(mu_);
};

// One record of a subscription as it stands in the pipe. The C interface names the getters and
// hides the fields.
struct OpRecord {
  static constexpr uint32_t kMagic = 0x4F4D5350;
  uint32_t magic = kMagic;
  uint32_t model_id = 0;
  uint64_t begin_ns = 0;
  uint64_t end_ns = 0;
  char type[16] = "Model";
  char name[128] = {};
};

// Record `index` of what was read from a pipe; null for bytes that hold no such record. May point
// anywhere: copy it out.
absl::StatusOr<OpRecord> OpRecordAt(std::span<const std::byte> bytes, uint32_t index);

}  // namespace omserve::hostacl
