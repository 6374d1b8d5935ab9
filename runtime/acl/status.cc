// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/status.h"

#include "runtime/acl/device_error.h"
#include "runtime/acl/error_table.h"
#include "runtime/base/errors.h"

namespace omserve::acl {
namespace {

// "aclrtX failed with CODE (NAME): cause; advice; the device says: words". The device's words come
// last, since they may be long.
std::string Describe(std::string_view what, aclError code, std::string_view advice,
                     std::string_view text) {
  const ErrorInfo& info = DescribeError(code);
  std::string message =
      fmt::format("{} failed with {} ({}): {}", what, code, info.name, info.cause);
  if (!advice.empty()) {
    message += fmt::format("; {}", advice);
  }
  if (!text.empty()) {
    message += fmt::format("; the device says: {}", text);
  }
  return message;
}

}  // namespace

absl::Status AclStatus(const Symbols& symbols, std::string_view what, aclError code) {
  if (code == ACL_SUCCESS) {
    return absl::OkStatus();
  }
  return AclStatusWithText(what, code, TakeRecentErrorText(symbols));
}

absl::Status AclStatusWithText(std::string_view what, aclError code, std::string_view text) {
  if (code == ACL_SUCCESS) {
    return absl::OkStatus();
  }
  const ErrorInfo& info = DescribeError(code);
  return WithDeviceErrorCode(MakeStatus(info.status_code, Describe(what, code, info.advice, text)),
                             code);
}

absl::Status ModelFileStatus(const Symbols& symbols, std::string_view what, aclError code) {
  if (!DescribeError(code).refuses_model) {
    return AclStatus(symbols, what, code);
  }
  constexpr std::string_view kAdvice =
      "compile the model for this device and release with a matching ATC";
  return WithDeviceErrorCode(
      MakeStatus(absl::StatusCode::kInvalidArgument,
                 Describe(what, code, kAdvice, TakeRecentErrorText(symbols))),
      code);
}

absl::Status OpeningStatus(const Symbols& symbols, std::string_view what, aclError code) {
  const ErrorInfo& info = DescribeError(code);
  // A device that was lost has advice of its own.
  if (info.error_class != ErrorClass::kDevice || info.device_unusable) {
    return AclStatus(symbols, what, code);
  }
  return WithDeviceErrorCode(
      MakeStatus(absl::StatusCode::kUnavailable,
                 Describe(what, code, DescribeError(ACL_ERROR_DRV_FAILURE).advice,
                          TakeRecentErrorText(symbols))),
      code);
}

std::string TakeRecentErrorText(const Symbols& symbols) {
  if (symbols.aclGetRecentErrMsg == nullptr) {
    return "";
  }
  const char* text = symbols.aclGetRecentErrMsg();
  if (text == nullptr) {
    return "";
  }
  // CANN's text has several lines; a status is one.
  std::string line;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t end = rest.find_first_of("\r\n");
    std::string_view part = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    const size_t first = part.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
      continue;
    }
    line += fmt::format("{}{}", line.empty() ? "" : " | ",
                        part.substr(first, part.find_last_not_of(" \t") - first + 1));
  }
  return line;
}

}  // namespace omserve::acl
