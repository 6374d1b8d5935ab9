// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/acl_status.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

#include "absl/strings/cord.h"
#include "runtime/base/mutex.h"

namespace omserve::hostacl {
namespace {

constexpr char kPayload[] = "omserve/acl-code";
// A loop that fails and never asks for the text must not grow without end.
constexpr size_t kRecentLimitBytes = 8192;

struct RecentErrors {
  std::string pending;
  std::string taken;  // What the pointer given out last points into.
  aclError last = ACL_SUCCESS;
};

// In the mode where all threads tell the same.
struct SharedErrors {
  // Relaxed: set before the program has threads that call.
  std::atomic<bool> is_on{false};
  Mutex mu;
  std::string pending ABSL_GUARDED_BY(mu);
};

SharedErrors& Shared() {
  // Never destroyed: threads of the program may still fail when its static objects are gone.
  static SharedErrors& shared = *std::make_unique<SharedErrors>().release();
  return shared;
}

RecentErrors& Recent() {
  // AscendCL's error text is defined as per-thread state that outlives every handle.
  thread_local RecentErrors recent;
  return recent;
}

void AddLine(const std::string& line, std::string* pending) {
  if (pending->size() + line.size() + 1 > kRecentLimitBytes) {
    const size_t excess = pending->size() + line.size() + 1 - kRecentLimitBytes;
    const size_t line_end = pending->find('\n', std::min(excess, pending->size()));
    pending->erase(0, line_end == std::string::npos ? pending->size() : line_end + 1);
  }
  *pending += pending->empty() ? "" : "\n";
  *pending += line;
}

absl::StatusCode ClassOf(aclError code) {
  switch (code / 100000) {
    case 1:
      return absl::StatusCode::kInvalidArgument;
    case 2:
      return absl::StatusCode::kResourceExhausted;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::Status MakeAclStatus(aclError code, const std::string& message) {
  absl::Status status = MakeStatus(ClassOf(code), message);
  status.SetPayload(kPayload, absl::Cord(std::to_string(code)));
  return status;
}

absl::Status NullOutput(const char* function) {
  return Fail(ACL_ERROR_INVALID_PARAM, "{}: the output pointer is null", function);
}

aclError AclCodeOf(const absl::Status& status, aclError otherwise) {
  if (status.ok()) {
    return ACL_SUCCESS;
  }
  const auto payload = status.GetPayload(kPayload);
  if (!payload.has_value()) {
    return otherwise;
  }
  const std::string digits(*payload);
  aclError code = otherwise;
  std::from_chars(digits.data(), digits.data() + digits.size(), code);
  return code;
}

absl::Status WithAclCode(const absl::Status& status, aclError code) {
  return status.ok() ? status : MakeAclStatus(code, std::string(MessageOf(status)));
}

absl::Status InContext(const absl::Status& status, const std::string& context) {
  return WithAclCode(WithContext(status, context), AclCodeOf(status));
}

Failure ToFailure(const absl::Status& status) {
  return {AclCodeOf(status), std::string(MessageOf(status))};
}

aclError Answer(const absl::Status& status) noexcept {
  if (status.ok()) {
    return ACL_SUCCESS;
  }
  const aclError code = AclCodeOf(status);
  Recent().last = code;
  const std::string line = fmt::format("{}: {}", code, std::string(MessageOf(status)));
  SharedErrors& shared = Shared();
  if (shared.is_on.load(std::memory_order_relaxed)) {
    const MutexLock lock(shared.mu);
    AddLine(line, &shared.pending);
  } else {
    AddLine(line, &Recent().pending);
  }
  return code;
}

aclError LastError() noexcept { return Recent().last; }

aclError TakeLastError() noexcept { return std::exchange(Recent().last, ACL_SUCCESS); }

void ShareRecentErrors(bool shared) noexcept {
  Shared().is_on.store(shared, std::memory_order_relaxed);
}

const char* TakeRecentErrors() noexcept {
  RecentErrors& recent = Recent();
  SharedErrors& shared = Shared();
  if (shared.is_on.load(std::memory_order_relaxed)) {
    const MutexLock lock(shared.mu);
    recent.pending.swap(shared.pending);
    shared.pending.clear();
  }
  if (recent.pending.empty()) {
    return nullptr;
  }
  recent.taken = std::move(recent.pending);
  recent.pending.clear();
  return recent.taken.c_str();
}

}  // namespace omserve::hostacl
