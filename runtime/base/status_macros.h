// SPDX-License-Identifier: Apache-2.0
// Short forms for absl::Status, which carries every expected failure in omserve.
//
// The meaning of each code here is fixed (docs/errors.md); the message names the object, the value
// that was met, what was expected and, where there is one, the remedy.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"

namespace omserve {

// The packaged absl's string_view is a type of its own in C++20; these two are the only crossing.
inline absl::Status MakeStatus(absl::StatusCode code, const std::string& message) {
  return absl::Status(code, message);
}
inline std::string_view MessageOf(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

// Same code and payloads, `context` in front of the message. OK stays OK.
inline absl::Status WithContext(const absl::Status& status, std::string_view context) {
  if (status.ok()) {
    return status;
  }
  std::string message(context);
  message += ": ";
  message += MessageOf(status);
  absl::Status with_context = MakeStatus(status.code(), message);
  status.ForEachPayload([&with_context](auto type, const absl::Cord& payload) {
    with_context.SetPayload(type, payload);
  });
  return with_context;
}

}  // namespace omserve

#define OMSERVE_CONCAT_INNER(a, b) a##b
#define OMSERVE_CONCAT(a, b) OMSERVE_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expr)             \
  do {                                    \
    ::absl::Status status_macro = (expr); \
    if (!status_macro.ok()) {             \
      return status_macro;                \
    }                                     \
  } while (false)

#define ASSIGN_OR_RETURN(lhs, expr) \
  OMSERVE_ASSIGN_OR_RETURN(OMSERVE_CONCAT(status_or_, __LINE__), lhs, expr)
#define OMSERVE_ASSIGN_OR_RETURN(tmp, lhs, expr) \
  auto tmp = (expr);                             \
  if (!tmp.ok()) {                               \
    return tmp.status();                         \
  }                                              \
  lhs = std::move(tmp).value()
