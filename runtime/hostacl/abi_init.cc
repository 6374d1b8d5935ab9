// SPDX-License-Identifier: Apache-2.0
// The C interface: init, errors, version, log, exception callback.
#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <iterator>
#include <limits>
#include <string_view>

#include "runtime/base/log.h"
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/runtime.h"

namespace omserve::hostacl {
namespace {

// The interface version that this library follows: AscendCL 1.3, the classic set.
constexpr int32_t kMajor = 1;
constexpr int32_t kMinor = 3;
constexpr int32_t kPatch = 0;

// The CANN release whose package "runtime" this library stands for: the first that tells versions.
constexpr std::string_view kPackage = "runtime";
constexpr char kPackageVersion[] = "8.5.0";
constexpr int32_t kPackageVersionNumber = 8 * 10'000'000 + 5 * 100'000;

constexpr uint32_t kNoValue = std::numeric_limits<uint32_t>::max();

absl::Status GetVersion(int32_t* major, int32_t* minor, int32_t* patch) {
  if (major == nullptr || minor == nullptr || patch == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclrtGetVersion: an output pointer is null");
  }
  *major = kMajor;
  *minor = kMinor;
  *patch = kPatch;
  return absl::OkStatus();
}

// Fills `*value` for the one package that there is.
template <typename Value>
absl::Status GetPackageVersion(const char* package, Value* value, void (*fill)(Value*)) {
  if (package == nullptr || value == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "the version of a package: an argument is null");
  }
  if (package != kPackage) {
    return Fail(ACL_ERROR_INVALID_PARAM, "the version of package '{}': this library has '{}' only",
                package, kPackage);
  }
  fill(value);
  return absl::OkStatus();
}

absl::Status CheckArchitecture(const char* soc_version, int32_t* compatible) {
  if (soc_version == nullptr || compatible == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclrtCheckArchCompatibility: an argument is null");
  }
  *compatible = std::string_view(soc_version) == om::kHostSocVersion ? 1 : 0;
  return absl::OkStatus();
}

// Not entered as the other functions are: asking for an error must not become one.
aclError ErrorAt(aclrtLastErrLevel level, aclError (*read)() noexcept) {
  return level == ACL_RT_THREAD_LEVEL ? read() : ACL_ERROR_INVALID_PARAM;
}

absl::Status GetRunMode(aclrtRunMode* run_mode) {
  if (run_mode == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclrtGetRunMode: the output pointer is null");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  *run_mode = runtime->settings().run_mode;
  return absl::OkStatus();
}

absl::Status SetExceptionCallback(aclrtExceptionInfoCallback callback) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  runtime->SetExceptionCallback(callback);
  return absl::OkStatus();
}

LogLevel LevelOf(aclLogLevel level) {
  switch (level) {
    case ACL_DEBUG:
      return LogLevel::kDebug;
    case ACL_INFO:
      return LogLevel::kInfo;
    case ACL_WARNING:
      return LogLevel::kWarning;
    case ACL_ERROR:
      return LogLevel::kError;
  }
  return LogLevel::kError;
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Answer;
using omserve::hostacl::Enter;

aclError aclInit(const char* configPath) noexcept {
  return Answer(omserve::hostacl::InitRuntime(configPath));
}

aclError aclFinalize() noexcept {
  uint64_t left = 0;
  return Answer(omserve::hostacl::FinalizeRuntime(/*force=*/true, &left));
}

aclError aclFinalizeReference(uint64_t* refCount) noexcept {
  uint64_t left = 0;
  const absl::Status status = omserve::hostacl::FinalizeRuntime(/*force=*/false, &left);
  if (refCount != nullptr) {
    *refCount = left;
  }
  return Answer(status);
}

const char* aclGetRecentErrMsg() noexcept { return omserve::hostacl::TakeRecentErrors(); }

aclError aclrtGetVersion(int32_t* majorVersion, int32_t* minorVersion,
                         int32_t* patchVersion) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::GetVersion(majorVersion, minorVersion, patchVersion);
  });
}

aclError aclsysGetVersionNum(char* pkgName, int32_t* versionNum) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::GetPackageVersion<int32_t>(pkgName, versionNum, [](int32_t* number) {
      *number = omserve::hostacl::kPackageVersionNumber;
    });
  });
}

aclError aclsysGetVersionStr(char* pkgName, char* versionStr) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::GetPackageVersion<char>(pkgName, versionStr, [](char* text) {
      std::copy(std::begin(omserve::hostacl::kPackageVersion),
                std::end(omserve::hostacl::kPackageVersion), text);
    });
  });
}

aclError aclrtGetLastError(aclrtLastErrLevel level) noexcept {
  return omserve::hostacl::ErrorAt(level, &omserve::hostacl::TakeLastError);
}

aclError aclrtPeekAtLastError(aclrtLastErrLevel level) noexcept {
  return omserve::hostacl::ErrorAt(level, &omserve::hostacl::LastError);
}

aclError aclrtCheckArchCompatibility(const char* socVersion, int32_t* canCompatible) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::CheckArchitecture(socVersion, canCompatible); });
}

const char* aclrtGetSocName() noexcept { return omserve::om::kHostSocVersion; }

aclError aclrtGetRunMode(aclrtRunMode* runMode) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetRunMode(runMode); });
}

aclError aclrtSetExceptionInfoCallback(aclrtExceptionInfoCallback callback) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::SetExceptionCallback(callback); });
}

uint32_t aclrtGetTaskIdFromExceptionInfo(const aclrtExceptionInfo* info) noexcept {
  return info == nullptr ? omserve::hostacl::kNoValue : info->task_id;
}

uint32_t aclrtGetStreamIdFromExceptionInfo(const aclrtExceptionInfo* info) noexcept {
  return info == nullptr ? omserve::hostacl::kNoValue : info->stream_id;
}

uint32_t aclrtGetThreadIdFromExceptionInfo(const aclrtExceptionInfo* info) noexcept {
  return info == nullptr ? omserve::hostacl::kNoValue : info->thread_id;
}

uint32_t aclrtGetDeviceIdFromExceptionInfo(const aclrtExceptionInfo* info) noexcept {
  return info == nullptr ? omserve::hostacl::kNoValue : info->device_id;
}

uint32_t aclrtGetErrorCodeFromExceptionInfo(const aclrtExceptionInfo* info) noexcept {
  return info == nullptr ? omserve::hostacl::kNoValue : info->error_code;
}

void aclAppLog(aclLogLevel logLevel, const char* func, const char* file, uint32_t line,
               const char* fmt, ...) noexcept {
  const omserve::LogLevel level = omserve::hostacl::LevelOf(logLevel);
  if (fmt == nullptr || !omserve::LogEnabled(level)) {
    return;
  }
  std::array<char, 1024> text{};  // Longer texts are cut.
  va_list arguments;
  va_start(arguments, fmt);
  std::vsnprintf(text.data(), text.size(), fmt, arguments);
  va_end(arguments);
  omserve::WriteLog(level, "app",
                    fmt::format("{} function={} file={} line={}", text.data(),
                                func == nullptr ? "" : func, file == nullptr ? "" : file, line));
}
