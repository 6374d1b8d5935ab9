// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/dump.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/hostacl/acl_status.h"

namespace omserve::hostacl {
namespace {

constexpr size_t kConfigLimitBytes = size_t{1} << 20;

// A name as one part of a path.
std::string AsFileName(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

void WriteTensor(const std::string& path, const TensorView& tensor) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(tensor.data),
             static_cast<std::streamsize>(tensor.size_bytes));
  file.close();
  if (!file) {
    OMSERVE_LOG(kWarning, "hostacl", "dump not written path={} bytes={}", path, tensor.size_bytes);
  }
}

void WriteTensors(const std::string& folder, const char* side,
                  std::span<const om::IoDescription> names, std::span<const TensorView> tensors) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);  // A failure shows with the files.
  for (size_t i = 0; i < tensors.size(); ++i) {
    WriteTensor(fmt::format("{}/{}.{}.{}.bin", folder, side, i, AsFileName(names[i].name)),
                tensors[i]);
  }
}

}  // namespace

absl::Status Dump::TakeInitText(const std::string& text) {
  if (!HasDumpConfig(text)) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(DumpConfig config, ParseDumpConfig(text, "aclInit's file"));
  const MutexLock lock(mu_);
  from_init_ = true;
  config_ = std::make_shared<const DumpConfig>(std::move(config));
  return absl::OkStatus();
}

absl::Status Dump::Begin() {
  const MutexLock lock(mu_);
  if (from_init_ || begun_) {
    return Fail(ACL_ERROR_DUMP_ALREADY_RUN, "aclmdlInitDump: dump is on already, by {}",
                from_init_ ? "aclInit's file" : "aclmdlInitDump");
  }
  begun_ = true;
  return absl::OkStatus();
}

absl::Status Dump::Configure(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, kConfigLimitBytes);
  const MutexLock lock(mu_);
  if (!begun_) {
    return Fail(ACL_ERROR_DUMP_NOT_RUN, "aclmdlSetDump: call aclmdlInitDump first");
  }
  if (!text.ok()) {
    return WithAclCode(WithContext(text.status(), "dump configuration"), ACL_ERROR_INVALID_FILE);
  }
  ASSIGN_OR_RETURN(DumpConfig config, ParseDumpConfig(*text, fmt::format("'{}'", path)));
  config_ = std::make_shared<const DumpConfig>(std::move(config));
  return absl::OkStatus();
}

absl::Status Dump::End() {
  const MutexLock lock(mu_);
  if (!begun_) {
    return Fail(ACL_ERROR_DUMP_NOT_RUN, "aclmdlFinalizeDump: call aclmdlInitDump first");
  }
  begun_ = false;
  config_ = nullptr;
  watched_.clear();
  return absl::OkStatus();
}

void Dump::Watch(const Model& model) {
  const std::string& name = model.description().name;
  const MutexLock lock(mu_);
  if (config_ == nullptr || !config_->Wants(name)) {
    return;
  }
  const auto time = SteadyClock().Now().time_since_epoch();
  watched_[model.id()] = {
      config_, fmt::format("{}/{}/{}/{}/{}", config_->folder,
                           std::chrono::duration_cast<std::chrono::microseconds>(time).count(),
                           model.device()->index(), AsFileName(name), model.id())};
}

void Dump::Forget(uint32_t model_id) {
  const MutexLock lock(mu_);
  watched_.erase(model_id);
}

TensorTap Dump::TapOf(const Model& model) {
  std::string folder;
  std::shared_ptr<const DumpConfig> config;
  {
    const MutexLock lock(mu_);
    const auto found = watched_.find(model.id());
    if (found == watched_.end()) {
      return nullptr;
    }
    config = found->second.config;
    folder = fmt::format("{}/{}", found->second.folder, found->second.executions++);
  }
  return [config, folder, &model](TensorSide side, std::span<const TensorView> tensors) {
    if (side == TensorSide::kInput && config->inputs) {
      WriteTensors(folder, "input", model.description().inputs, tensors);
    }
    if (side == TensorSide::kOutput && config->outputs) {
      WriteTensors(folder, "output", model.description().outputs, tensors);
    }
  };
}

}  // namespace omserve::hostacl
