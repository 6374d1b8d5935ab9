// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "runtime/acl/device.h"
#include "runtime/acl/status.h"
#include "runtime/acl/symbols.h"
#include "runtime/base/log.h"
#include "runtime/base/status_macros.h"

namespace omserve::acl {

Event::Event(const Device* device, void* handle, bool timed, bool renews)
    : device_(device),
      generation_(device->generation()),
      handle_(handle),
      timed_(timed),
      renews_(renews) {}

Event::Event(Event&& other) noexcept
    : device_(std::exchange(other.device_, nullptr)),
      generation_(other.generation_),
      handle_(std::exchange(other.handle_, nullptr)),
      timed_(other.timed_),
      renews_(other.renews_),
      recorded_(std::exchange(other.recorded_, false)) {}

Event& Event::operator=(Event&& other) noexcept {
  Event old_owner(std::move(other));
  std::swap(device_, old_owner.device_);
  std::swap(generation_, old_owner.generation_);
  std::swap(handle_, old_owner.handle_);
  std::swap(timed_, old_owner.timed_);
  std::swap(renews_, old_owner.renews_);
  std::swap(recorded_, old_owner.recorded_);
  return *this;
}

Event::~Event() {
  if (handle_ == nullptr || generation_ != device_->generation()) {
    return;
  }
  const aclError code = device_->symbols().aclrtDestroyEvent(handle_);
  if (code != ACL_SUCCESS) {
    OMSERVE_LOG(kError, "acl", "device={} {}", device_->id(),
                MessageOf(AclStatus(device_->symbols(), "aclrtDestroyEvent", code)));
  }
}

absl::StatusOr<bool> Event::IsComplete() const {
  if (!recorded_) {
    return true;
  }
  const Symbols& symbols = device_->symbols();
  // Two queries whose numbers are each other's opposite; the old one cannot be asked about the
  // newer kind of event.
  if (symbols.aclrtQueryEventStatus != nullptr) {
    aclrtEventRecordedStatus status = ACL_EVENT_RECORDED_STATUS_NOT_READY;
    RETURN_IF_ERROR(AclStatus(symbols, "aclrtQueryEventStatus",
                              symbols.aclrtQueryEventStatus(handle_, &status)));
    return status == ACL_EVENT_RECORDED_STATUS_COMPLETE;
  }
  aclrtEventStatus status = ACL_EVENT_STATUS_NOT_READY;
  RETURN_IF_ERROR(AclStatus(symbols, "aclrtQueryEvent", symbols.aclrtQueryEvent(handle_, &status)));
  return status == ACL_EVENT_STATUS_COMPLETE;
}

std::optional<uint64_t> Event::TimestampUs() const {
  if (!timed_ || !recorded_ || device_->symbols().aclrtEventGetTimestamp == nullptr) {
    return std::nullopt;
  }
  uint64_t microseconds = 0;
  if (device_->symbols().aclrtEventGetTimestamp(handle_, &microseconds) != ACL_SUCCESS) {
    return std::nullopt;
  }
  return microseconds;
}

absl::StatusOr<float> ElapsedMs(const Event& start, const Event& end) {
  const Symbols& symbols = start.device_->symbols();
  float milliseconds = 0;
  RETURN_IF_ERROR(
      AclStatus(symbols, "aclrtEventElapsedTime",
                symbols.aclrtEventElapsedTime(&milliseconds, start.handle_, end.handle_)));
  return milliseconds;
}

}  // namespace omserve::acl
