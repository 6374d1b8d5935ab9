// SPDX-License-Identifier: Apache-2.0
#include "server/device_settings.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"

namespace omserve::server {
namespace {

// A file that is there as long as this is.
class TemporaryFile final {
 public:
  static absl::StatusOr<std::unique_ptr<TemporaryFile>> Write(const std::string& text) {
    std::error_code error;
    const std::filesystem::path folder = std::filesystem::temp_directory_path(error);
    std::string path = (error ? std::filesystem::path("/tmp") : folder) / "omserve-XXXXXX.json";
    constexpr int kSuffixBytes = 5;  // ".json"
    const int descriptor = mkstemps(path.data(), kSuffixBytes);
    if (descriptor < 0) {
      return Unavailable("the CPU device's settings could not be written to '{}': {}", path,
                         std::error_code(errno, std::generic_category()).message());
    }
    close(descriptor);
    auto file = std::make_unique<TemporaryFile>(path);
    RETURN_IF_ERROR(WriteFileAtomically(path, text));
    return file;
  }
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    std::error_code ignored;  // Only rubbish stays behind.
    std::filesystem::remove(path_, ignored);
  }

  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

void LogDevice(const acl::Runtime& runtime, bool has_host_settings) {
  OMSERVE_LOG(kInfo, "device", "AscendCL library={} version={} soc={} devices={}",
              runtime.library(), runtime.version(), runtime.soc_name(), runtime.device_count());
  if (!runtime.passed_over().empty()) {
    OMSERVE_LOG(kWarning, "device", "a CANN installation is not used: {}", runtime.passed_over());
  }
  if (runtime.is_host()) {
    OMSERVE_LOG(kWarning, "device", "no NPU: models run on the CPU device");
  } else if (has_host_settings) {
    OMSERVE_LOG(kWarning, "device",
                "device.host is ignored: it is for the CPU device, and this is soc={}",
                runtime.soc_name());
  }
}

}  // namespace

std::string HostDeviceJson(const HostDeviceConfig& host) {
  boost::json::object settings;
  if (host.has_device_count()) {
    settings["device_count"] = host.device_count();
  }
  if (host.has_cores()) {
    settings["cores"] = host.cores();
  }
  if (host.has_memory_bytes()) {
    settings["memory_bytes"] = host.memory_bytes();
  }
  if (host.has_run_mode()) {
    settings["run_mode"] = host.run_mode();
  }
  if (host.has_intra_op_threads()) {
    settings["intra_op_threads"] = host.intra_op_threads();
  }
  return settings.empty() ? "" : boost::json::serialize(boost::json::object{{"hostacl", settings}});
}

std::unique_ptr<health::HealthSource> MakeHealthSource(
    const DeviceConfig& config, const acl::Runtime& runtime,
    const std::vector<const acl::Device*>& devices, const Clock& clock) {
  if (runtime.is_host() && config.dcmi_library().empty()) {
    const int cpu_count = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    return health::MakeHostHealthSource(devices, {.cpu_count = cpu_count}, clock);
  }
  health::ChipSourceOptions options;
  if (!config.dcmi_library().empty()) {
    options.dcmi_libraries = {config.dcmi_library()};
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing in the daemon changes the environment.
  if (const char* visible = std::getenv("ASCEND_RT_VISIBLE_DEVICES"); visible != nullptr) {
    options.visible_devices = visible;
  }
  return health::MakeChipHealthSource(devices, std::move(options), clock);
}

absl::StatusOr<std::unique_ptr<acl::Runtime>> OpenRuntime(const DeviceConfig& config) {
  const std::string host_json = HostDeviceJson(config.host());
  acl::Runtime::Options options{.library = config.library(), .config_file = config.config_file()};
  std::unique_ptr<TemporaryFile> file;
  if (!host_json.empty()) {
    if (!options.config_file.empty()) {
      return InvalidArgument(
          "device.config_file is '{}' and device.host is given too; put the CPU device's settings "
          "into that file, as {}",
          options.config_file, host_json);
    }
    ASSIGN_OR_RETURN(file, TemporaryFile::Write(host_json));
    options.config_file = file->path();
  }
  ASSIGN_OR_RETURN(std::unique_ptr<acl::Runtime> runtime, acl::Runtime::Open(options));
  LogDevice(*runtime, !host_json.empty());
  return runtime;
}

}  // namespace omserve::server
