// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/profiler.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "runtime/base/errno_text.h"
#include "runtime/base/log.h"

namespace omserve::hostacl {
namespace {

constexpr uint64_t kTimeTypes = ACL_PROF_TASK_TIME | ACL_PROF_TASK_TIME_L0 | ACL_PROF_TASK_TIME_L2;
constexpr uint64_t kMegabyte = uint64_t{1} << 20;
// The limits of ACL_PROF_STORAGE_LIMIT, in MB.
constexpr uint64_t kLeastStorage = 200;
constexpr uint64_t kMostStorage = 4294967295;

int64_t Nanoseconds(Clock::time_point at) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
}

double Microseconds(int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1000.0; }

absl::Status MakeFolder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return Fail(ACL_ERROR_PROFILING_FAILURE, "profiling: folder '{}' cannot be made: {}", folder,
                error.message());
  }
  return absl::OkStatus();
}

// Keeps a pipe that nobody reads any more from ending the process: the write then fails instead.
class SigpipeBlocked final {
 public:
  SigpipeBlocked() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~SigpipeBlocked() {
    const timespec at_once{};
    while (sigtimedwait(&pipe_, nullptr, &at_once) == -1 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeBlocked(const SigpipeBlocked&) = delete;
  SigpipeBlocked& operator=(const SigpipeBlocked&) = delete;

 private:
  sigset_t pipe_;
  sigset_t before_;
};

}  // namespace

OpPipe::~OpPipe() { close(config_.descriptor); }

void OpPipe::Send(const ExecutionRecord& record) const {
  OpRecord op;
  op.model_id = record.model_id;
  if (config_.with_times) {
    op.begin_ns = static_cast<uint64_t>(Nanoseconds(record.begin));
    op.end_ns = static_cast<uint64_t>(Nanoseconds(record.end));
  }
  std::copy_n(record.model_name.data(), std::min(record.model_name.size(), sizeof(op.name) - 1),
              op.name);
  const SigpipeBlocked blocked;
  ssize_t written = 0;
  do {
    // Shorter than PIPE_BUF, so that it goes in whole or not at all.
    written = write(config_.descriptor, &op, sizeof(op));
  } while (written == -1 && errno == EINTR);
  if (written != static_cast<ssize_t>(sizeof(op))) {
    OMSERVE_LOG(kWarning, "hostacl", "profiling record lost model={} descriptor={} error={}",
                record.model_id, config_.descriptor, ErrnoText());
  }
}

Profiler::~Profiler() {
  const MutexLock lock(mu_);
  CloseTimeline();
}

absl::Status Profiler::Init(const std::string& folder) {
  const MutexLock lock(mu_);
  if (state_ != State::kOff) {
    return Fail(ACL_ERROR_PROF_ALREADY_RUN,
                "aclprofInit: initialised before; call aclprofFinalize");
  }
  RETURN_IF_ERROR(MakeFolder(folder));
  folder_ = folder;
  limit_bytes_ = 0;
  state_ = State::kReady;
  return absl::OkStatus();
}

absl::Status Profiler::SetOption(aclprofConfigType option, std::string_view text) {
  const MutexLock lock(mu_);
  if (state_ != State::kReady) {
    return Fail(ACL_ERROR_PROF_NOT_RUN,
                "aclprofSetConfig: expected between aclprofInit and aclprofStart");
  }
  if (option != ACL_PROF_STORAGE_LIMIT) {
    return Fail(ACL_ERROR_PROF_MODULES_UNSUPPORTED,
                "aclprofSetConfig: option {} samples hardware that this device has not",
                static_cast<int>(option));
  }
  uint64_t megabytes = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, megabytes);
  if (error != std::errc() || stop != end || megabytes < kLeastStorage ||
      megabytes > kMostStorage) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "aclprofSetConfig: a storage limit of '{}' MB; expected {} to {}",
                std::string(text), kLeastStorage, kMostStorage);
  }
  limit_bytes_ = megabytes * kMegabyte;
  return absl::OkStatus();
}

absl::Status Profiler::Start(const std::shared_ptr<const ProfileConfig>& config) {
  const MutexLock lock(mu_);
  if (state_ != State::kReady) {
    return state_ == State::kOff
               ? Fail(ACL_ERROR_PROF_NOT_RUN, "aclprofStart: call aclprofInit first")
               : Fail(ACL_ERROR_PROF_ALREADY_RUN, "aclprofStart: started before; call aclprofStop");
  }
  if (!pipes_.empty()) {
    return Fail(ACL_ERROR_PROF_API_CONFLICT,
                "aclprofStart: {} models are subscribed to; call aclprofModelUnSubscribe",
                pipes_.size());
  }
  const std::string folder = fmt::format("{}/PROF_{:06}_{}_{}", folder_, started_ + 1,
                                         Nanoseconds(SteadyClock().Now()), getpid());
  RETURN_IF_ERROR(MakeFolder(folder));
  timeline_.open(folder + "/timeline.json");
  timeline_ << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
  if (!timeline_.good()) {
    timeline_ = std::ofstream();
    return Fail(ACL_ERROR_PROFILING_FAILURE, "aclprofStart: '{}/timeline.json' cannot be written",
                folder);
  }
  ++started_;
  events_ = 0;
  left_out_ = 0;
  config_ = config;
  state_ = State::kRunning;
  UpdateCollecting();
  return absl::OkStatus();
}

absl::Status Profiler::Stop(const std::shared_ptr<const ProfileConfig>& config) {
  const MutexLock lock(mu_);
  if (state_ != State::kRunning || config_ != config) {
    return Fail(ACL_ERROR_PROF_NOT_RUN, "aclprofStop: not started, or with another configuration");
  }
  const bool is_whole = timeline_.good();
  CloseTimeline();
  state_ = State::kReady;
  UpdateCollecting();
  return is_whole ? absl::OkStatus()
                  : Fail(ACL_ERROR_PROFILING_FAILURE,
                         "aclprofStop: not all could be written to a folder in '{}'", folder_);
}

absl::Status Profiler::Finalize() {
  const MutexLock lock(mu_);
  if (state_ == State::kOff) {
    return Fail(ACL_ERROR_PROF_NOT_RUN, "aclprofFinalize: profiling is not initialised");
  }
  CloseTimeline();
  state_ = State::kOff;
  UpdateCollecting();
  return absl::OkStatus();
}

absl::Status Profiler::Subscribe(uint32_t model_id, const SubscribeConfig& config) {
  const MutexLock lock(mu_);
  if (state_ == State::kRunning) {
    return Fail(ACL_ERROR_PROF_API_CONFLICT,
                "aclprofModelSubscribe: profiling was started by aclprofStart; call aclprofStop");
  }
  if (pipes_.contains(model_id)) {
    return Fail(ACL_ERROR_PROF_REPEAT_SUBSCRIBE,
                "aclprofModelSubscribe: model id {} is subscribed to", model_id);
  }
  pipes_[model_id] = std::make_shared<OpPipe>(config);
  UpdateCollecting();
  return absl::OkStatus();
}

absl::Status Profiler::Unsubscribe(uint32_t model_id) {
  std::shared_ptr<const OpPipe> ended;  // Closed after the lock is released.
  const MutexLock lock(mu_);
  const auto found = pipes_.find(model_id);
  if (found == pipes_.end()) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclprofModelUnSubscribe: model id {} has no subscription",
                model_id);
  }
  ended = std::move(found->second);
  pipes_.erase(found);
  UpdateCollecting();
  return absl::OkStatus();
}

void Profiler::Record(const ExecutionRecord& record) {
  if (!collecting_.load(std::memory_order_relaxed)) {
    return;
  }
  std::shared_ptr<const OpPipe> pipe;
  {
    const MutexLock lock(mu_);
    if (state_ == State::kRunning) {
      WriteEvent(record);
      return;
    }
    const auto found = pipes_.find(record.model_id);
    if (found == pipes_.end()) {
      return;
    }
    pipe = found->second;
  }
  pipe->Send(record);
}

void Profiler::WriteEvent(const ExecutionRecord& record) {
  if ((config_->data_types & kTimeTypes) == 0 ||
      !config_->devices.contains(static_cast<uint32_t>(record.device))) {
    return;
  }
  if (limit_bytes_ > 0 && static_cast<uint64_t>(timeline_.tellp()) >= limit_bytes_) {
    ++left_out_;
    return;
  }
  const int64_t begin = Nanoseconds(record.begin);
  const boost::json::object event{{"name", record.model_name},
                                  {"cat", "execution"},
                                  {"ph", "X"},
                                  {"ts", Microseconds(begin)},
                                  {"dur", Microseconds(Nanoseconds(record.end) - begin)},
                                  {"pid", record.device},
                                  {"tid", record.stream},
                                  {"args", {{"model_id", record.model_id}, {"code", record.code}}}};
  timeline_ << (events_ == 0 ? "" : ",\n") << boost::json::serialize(event);
  ++events_;
}

void Profiler::CloseTimeline() {
  if (timeline_.is_open()) {
    timeline_ << "\n],\"otherData\":{\"executions_left_out\":" << left_out_ << "}}\n";
    timeline_.close();
  }
  config_ = nullptr;
}

void Profiler::UpdateCollecting() {
  collecting_.store(state_ == State::kRunning || !pipes_.empty(), std::memory_order_relaxed);
}

absl::StatusOr<OpRecord> OpRecordAt(std::span<const std::byte> bytes, uint32_t index) {
  OpRecord record;
  const size_t count = bytes.size() / sizeof(record);
  if (index >= count) {
    return Fail(ACL_ERROR_INVALID_PARAM, "profiling: record {} of {} bytes, which hold {}", index,
                bytes.size(), count);
  }
  std::memcpy(&record, bytes.data() + index * sizeof(record), sizeof(record));
  if (record.magic != OpRecord::kMagic) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "profiling: the bytes are not those of a subscription's pipe");
  }
  record.type[sizeof(record.type) - 1] = '\0';
  record.name[sizeof(record.name) - 1] = '\0';
  return record;
}

}  // namespace omserve::hostacl
