// SPDX-License-Identifier: Apache-2.0
// The device library and the source of device health, opened as the configuration says.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/omserve/server_config.pb.h"
#include "runtime/acl/device.h"
#include "runtime/base/clock.h"
#include "runtime/health/health_source.h"

namespace omserve::server {

// Settings of the CPU device reach it as every setting of AscendCL does, through the file of
// aclInit: it is written, used and removed here. Says in the log what the daemon runs on.
// Errors: those of acl::Runtime::Open; kInvalidArgument when both device.config_file and
// device.host are given.
absl::StatusOr<std::unique_ptr<acl::Runtime>> OpenRuntime(const DeviceConfig& config);

// DCMI for chips, and wherever the configuration names its library; the machine's sensors for the
// CPU device. Looks at ASCEND_RT_VISIBLE_DEVICES. `devices` and `clock` outlive the source.
std::unique_ptr<health::HealthSource> MakeHealthSource(
    const DeviceConfig& config, const acl::Runtime& runtime,
    const std::vector<const acl::Device*>& devices, const Clock& clock);

// The JSON text for aclInit that says what `host` says; "" when it says nothing.
std::string HostDeviceJson(const HostDeviceConfig& host);

}  // namespace omserve::server
