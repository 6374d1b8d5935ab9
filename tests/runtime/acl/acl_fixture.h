// SPDX-License-Identifier: Apache-2.0
// The CPU device of this build, opened for one test.
#pragma once

#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/acl/device.h"
#include "runtime/acl/model.h"
#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve::testing {

inline constexpr char kHostLibrary[] = OMSERVE_BINARY_DIR "/lib/libascendcl.so";

// `settings` are the members of the object "hostacl", for instance `"device_count": 2`.
inline absl::StatusOr<std::unique_ptr<acl::Runtime>> TryOpenRuntime(
    std::string_view settings, const std::string& library = kHostLibrary) {
  const std::string config_file = "acl.json";  // Each test program has a folder of its own.
  REQUIRE_OK(WriteFileAtomically(config_file, fmt::format("{{\"hostacl\": {{{}}}}}", settings)));
  return acl::Runtime::Open({.library = library, .config_file = config_file});
}

struct OpenedDevice {
  std::unique_ptr<acl::Runtime> runtime;
  std::unique_ptr<acl::Device> device;
};

inline OpenedDevice OpenDevice(std::string_view settings = "",
                               const std::string& library = kHostLibrary) {
  OpenedDevice opened;
  opened.runtime = VALUE(TryOpenRuntime(settings, library));
  opened.device = VALUE(opened.runtime->OpenDevice(0));
  return opened;
}

inline size_t FreeBytes(const acl::Device& device) { return VALUE(device.memory()).free_bytes; }

// Values to a new device buffer and back, synchronously.
template <typename T>
acl::DeviceBuffer ToDevice(const acl::Device& device, const std::vector<T>& values) {
  acl::DeviceBuffer buffer = VALUE(device.Allocate(values.size() * sizeof(T)));
  REQUIRE_OK(device.CopyToDeviceNow(buffer.get(), std::as_bytes(std::span(values))));
  return buffer;
}

template <typename T>
std::vector<T> ToHost(const acl::Device& device, acl::DevicePtr from, size_t count) {
  acl::HostBuffer host = VALUE(device.AllocateHost(count * sizeof(T)));
  acl::Stream stream = VALUE(device.CreateStream());
  REQUIRE_OK(stream.CopyToHost(host.bytes(), from));
  REQUIRE_OK(stream.Synchronize());
  std::vector<T> values(count);
  std::memcpy(values.data(), host.bytes().data(), count * sizeof(T));
  return values;
}

}  // namespace omserve::testing
