// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/copy_time.h"

namespace omserve::hostacl {

CopyTime::CopyTime(const MemoryMap& map, const void* target, const void* source,
                   size_t size_bytes) {
  const std::shared_ptr<Device> to = map.DeviceOf(target);
  const std::shared_ptr<Device> from = map.DeviceOf(source);
  if ((to == nullptr) == (from == nullptr)) {
    return;
  }
  TimedDevice* const timed = (to == nullptr ? from : to)->timed();
  if (timed != nullptr && timed->copies_cost()) {
    stay_.emplace(to == nullptr ? timed->to_host : timed->to_device, 1U,
                  timed->CopyCost(size_bytes));
  }
}

void CopyTime::Pass() {
  if (stay_.has_value()) {
    stay_->Await();
  }
}

}  // namespace omserve::hostacl
