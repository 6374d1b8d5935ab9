// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "runtime/acl/device.h"
#include "runtime/acl/error_table.h"
#include "runtime/acl/open_library.h"
#include "runtime/acl/status.h"
#include "runtime/acl/symbols.h"
#include "runtime/acl/task_errors.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"

namespace omserve::acl {
namespace {

// What aclrtGetSocName of the CPU device says.
constexpr char kHostSocName[] = "OmserveHost";

void LogMissing(const Symbols& symbols) {
  std::string missing;
  for (const SymbolRow& row : SymbolRows()) {
    if (!row.is_found(symbols)) {
      missing += fmt::format("{}{} (CANN {})", missing.empty() ? "" : ", ", row.name, row.since);
    }
  }
  if (!missing.empty()) {
    OMSERVE_LOG(kInfo, "acl", "the library is older than {}; `omctl device` tells what that costs",
                missing);
  }
}

}  // namespace

Runtime::Runtime(std::unique_ptr<Symbols> symbols) : symbols_(std::move(symbols)) {}

absl::StatusOr<std::unique_ptr<Runtime>> Runtime::Open(const Options& options) {
  ASSIGN_OR_RETURN(OpenedLibrary opened, OpenLibrary(options.library));
  ASSIGN_OR_RETURN(Symbols symbols, ResolveSymbols(opened.library));
  // The constructor is private, which std::make_unique cannot reach.
  std::unique_ptr<Runtime> runtime(new Runtime(std::make_unique<Symbols>(symbols)));
  runtime->library_ = opened.library.path();
  runtime->passed_over_ = std::move(opened.passed_over);
  RETURN_IF_ERROR(runtime->Initialise(options.config_file));
  RETURN_IF_ERROR(runtime->Describe());
  LogMissing(*runtime->symbols_);
  return runtime;
}

absl::Status Runtime::Initialise(const std::string& config_file) {
  const aclError code = symbols_->aclInit(config_file.empty() ? nullptr : config_file.c_str());
  // Others in the process may use AscendCL too; a repetition is counted and otherwise harmless.
  if (code != ACL_SUCCESS && code != ACL_ERROR_REPEAT_INITIALIZE) {
    const std::string what =
        config_file.empty()
            ? fmt::format("aclInit of '{}'", library_)
            : fmt::format("aclInit of '{}' with the config file '{}'", library_, config_file);
    return OpeningStatus(*symbols_, what, code);
  }
  initialised_ = true;
  initialised_first_ = code == ACL_SUCCESS;
  RETURN_IF_ERROR(TaskErrors::Get().Install(*symbols_));
  watching_ = true;
  return absl::OkStatus();
}

absl::Status Runtime::Describe() {
  int32_t major = 0;
  int32_t minor = 0;
  int32_t patch = 0;
  RETURN_IF_ERROR(
      AclStatus(*symbols_, "aclrtGetVersion", symbols_->aclrtGetVersion(&major, &minor, &patch)));
  version_ = fmt::format("{}.{}.{}", major, minor, patch);
  RETURN_IF_ERROR(OpeningStatus(*symbols_, fmt::format("aclrtGetDeviceCount of '{}'", library_),
                                symbols_->aclrtGetDeviceCount(&device_count_)));
  if (symbols_->aclrtGetSocName != nullptr) {
    const char* soc_name = symbols_->aclrtGetSocName();
    soc_name_ = soc_name == nullptr ? "" : soc_name;
  }
  return absl::OkStatus();
}

Runtime::~Runtime() {
  if (watching_) {
    TaskErrors::Get().Uninstall(*symbols_);
  }
  if (!initialised_) {
    return;
  }
  // aclFinalize tears down for the whole process whatever the count, so it is not ours to call when
  // somebody else came first.
  aclError code = ACL_SUCCESS;
  if (symbols_->aclFinalizeReference != nullptr) {
    code = symbols_->aclFinalizeReference(nullptr);
  } else if (initialised_first_) {
    code = symbols_->aclFinalize();
  }
  if (code != ACL_SUCCESS) {
    OMSERVE_LOG(kWarning, "acl", "{}", MessageOf(AclStatus(*symbols_, "aclFinalize", code)));
  }
}

bool Runtime::is_host() const { return soc_name_ == kHostSocName; }

absl::StatusOr<std::unique_ptr<Device>> Runtime::OpenDevice(int id) {
  if (device_count_ == 0) {
    const ErrorInfo& no_device = DescribeError(ACL_ERROR_RT_NO_DEVICE);
    return Unavailable("'{}' shows no device: {}; {}", library_, no_device.cause, no_device.advice);
  }
  if (id < 0 || static_cast<uint32_t>(id) >= device_count_) {
    return InvalidArgument(
        "device {}: '{}' shows {} device(s), numbered from 0; choose one of them, or check "
        "ASCEND_RT_VISIBLE_DEVICES",
        id, library_, device_count_);
  }
  RETURN_IF_ERROR(OpeningStatus(*symbols_, fmt::format("aclrtSetDevice({})", id),
                                symbols_->aclrtSetDevice(id)));
  aclrtContext context = nullptr;
  const absl::Status status =
      AclStatus(*symbols_, "aclrtGetCurrentContext", symbols_->aclrtGetCurrentContext(&context));
  if (!status.ok()) {
    static_cast<void>(symbols_->aclrtResetDevice(id));
    return status;
  }
  aclrtRunMode mode = ACL_HOST;
  const bool is_one_memory = symbols_->aclrtGetRunMode(&mode) == ACL_SUCCESS && mode == ACL_DEVICE;
  return std::unique_ptr<Device>(new Device(symbols_.get(), id, context, is_one_memory));
}

}  // namespace omserve::acl
