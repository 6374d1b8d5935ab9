// SPDX-License-Identifier: Apache-2.0
// Where device health comes from: a chip's driver, or the machine that runs the CPU device.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/acl/device.h"
#include "runtime/base/clock.h"
#include "runtime/health/device_health.h"

namespace omserve::health {

// Confined to the thread that reads; opening what there is to open is part of the first reading.
class HealthSource {
 public:
  virtual ~HealthSource() = default;
  // Everything that can be had now, devices in the order of construction. May block for as long as
  // a driver likes. Never fails: what cannot be had is absent, and why stands in the log, once.
  virtual HealthReport Read() = 0;
};

struct ChipSourceOptions {
  std::vector<std::string> dcmi_libraries;     // Names to try in order; empty: the driver's own.
  std::optional<std::string> visible_devices;  // ASCEND_RT_VISIBLE_DEVICES; nullopt: not set.
};
// DCMI, and AscendCL for what it knows itself. `devices` and `clock` outlive the source.
std::unique_ptr<HealthSource> MakeChipHealthSource(const std::vector<const acl::Device*>& devices,
                                                   ChipSourceOptions options, const Clock& clock);

struct HostSourceOptions {
  std::string root;   // Goes before every path that is read, for tests; empty: this machine.
  int cpu_count = 1;  // Processors that make up a utilisation of 1.
};
// The machine's own sensors; several CPU devices share them and show the same.
std::unique_ptr<HealthSource> MakeHostHealthSource(const std::vector<const acl::Device*>& devices,
                                                   const HostSourceOptions& options,
                                                   const Clock& clock);

}  // namespace omserve::health
