// SPDX-License-Identifier: Apache-2.0
// What AscendCL itself says of a device; the part that both sources share.
#pragma once

#include <set>
#include <string>

#include "runtime/acl/device.h"
#include "runtime/health/device_health.h"

namespace omserve::health {

// Confined to one thread, which it binds to each device that it asks.
class AclHealth final {
 public:
  // Memory, status and utilisation of `device`; a failure leaves its fields as they are, and is
  // logged when it is new.
  void AddTo(const acl::Device& device, DeviceHealth& health);

 private:
  bool Succeeded(const absl::Status& status);

  std::set<std::string> said_;
};

}  // namespace omserve::health
