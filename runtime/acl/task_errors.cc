// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/task_errors.h"

#include <utility>

#include "runtime/acl/status.h"
#include "runtime/base/errors.h"

namespace omserve::acl {

TaskErrors& TaskErrors::Get() {
  static TaskErrors table;
  return table;
}

absl::Status TaskErrors::Install(const Symbols& symbols) {
  {
    MutexLock lock(mu_);
    if (installed_) {
      return FailedPrecondition(
          "AscendCL is open already in this process, and its task failures can be reported to one "
          "Runtime only; close that one first");
    }
    installed_ = true;
    symbols_ = symbols;
  }
  const aclError code = symbols.aclrtSetExceptionInfoCallback(&TaskErrors::OnException);
  if (code != ACL_SUCCESS) {
    MutexLock lock(mu_);
    installed_ = false;
  }
  return AclStatus(symbols, "aclrtSetExceptionInfoCallback", code);
}

void TaskErrors::Uninstall(const Symbols& symbols) {
  // A refusal would change nothing: the function stays valid and drops what nobody watches.
  static_cast<void>(symbols.aclrtSetExceptionInfoCallback(nullptr));
  MutexLock lock(mu_);
  installed_ = false;
  watched_.clear();
}

uint64_t TaskErrors::Watch(int32_t device_id, int32_t stream_id) {
  MutexLock lock(mu_);
  const uint64_t watch = next_watch_++;
  watched_[watch] = Watched{.device_id = device_id, .stream_id = stream_id, .text = {}};
  return watch;
}

void TaskErrors::Unwatch(uint64_t watch) {
  MutexLock lock(mu_);
  watched_.erase(watch);
}

absl::Status TaskErrors::TakeFrom(Watched& watched) {
  const aclError code = std::exchange(watched.code, ACL_SUCCESS);
  const std::string text = std::exchange(watched.text, std::string());
  if (code == ACL_SUCCESS) {
    return absl::OkStatus();
  }
  const std::string what =
      watched.stream_id < 0
          ? fmt::format("a task on device {}", watched.device_id)
          : fmt::format("a task of stream {} on device {}", watched.stream_id, watched.device_id);
  return AclStatusWithText(what, code, text);
}

absl::Status TaskErrors::Take(uint64_t watch) {
  MutexLock lock(mu_);
  const auto found = watched_.find(watch);
  return found == watched_.end() ? absl::OkStatus() : TakeFrom(found->second);
}

absl::Status TaskErrors::TakeByStream(int32_t device_id, int32_t stream_id) {
  MutexLock lock(mu_);
  absl::Status first;
  for (auto& [watch, watched] : watched_) {
    if (watched.device_id == device_id && watched.stream_id == stream_id) {
      const absl::Status status = TakeFrom(watched);
      if (first.ok()) {
        first = status;
      }
    }
  }
  return first;
}

void TaskErrors::Report(int32_t device_id, int32_t stream_id, aclError code,
                        const std::string& text) {
  MutexLock lock(mu_);
  const auto belongs = [device_id, stream_id](const Watched& watched) {
    return watched.device_id == device_id && watched.stream_id == stream_id;
  };
  bool known = false;
  for (const auto& [watch, watched] : watched_) {
    known = known || belongs(watched);
  }
  // On a chip a model's tasks run on streams inside the model, whose numbers nobody outside knows,
  // and a library before CANN 8.5 tells no numbers at all. Such a failure may be anyone's: it is
  // given to every stream of the device, because a lost failure would answer a client with garbage.
  for (auto& [watch, watched] : watched_) {
    const bool concerned = known ? belongs(watched) : watched.device_id == device_id;
    if (concerned && watched.code == ACL_SUCCESS) {
      watched.code = code;
      watched.text = text;
    }
  }
}

void TaskErrors::OnException(aclrtExceptionInfo* info) noexcept {
  TaskErrors& table = Get();
  Symbols symbols;
  {
    MutexLock lock(table.mu_);
    symbols = table.symbols_;
  }
  const auto device_id = static_cast<int32_t>(symbols.aclrtGetDeviceIdFromExceptionInfo(info));
  const auto stream_id = static_cast<int32_t>(symbols.aclrtGetStreamIdFromExceptionInfo(info));
  // Before the code could be asked for, only the fact of a failure was known.
  aclError code = ACL_ERROR_RT_FAILURE;
  if (symbols.aclrtGetErrorCodeFromExceptionInfo != nullptr) {
    code = static_cast<aclError>(symbols.aclrtGetErrorCodeFromExceptionInfo(info));
  }
  if (code == ACL_SUCCESS) {
    code = ACL_ERROR_RT_FAILURE;
  }
  table.Report(device_id, stream_id, code, TakeRecentErrorText(symbols));
}

}  // namespace omserve::acl
