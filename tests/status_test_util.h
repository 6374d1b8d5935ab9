// SPDX-License-Identifier: Apache-2.0
// REQUIRE_OK(status), and VALUE(status_or) which requires OK and gives the value.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "runtime/base/status_macros.h"

namespace omserve {

inline absl::Status ToStatus(const absl::Status& status) { return status; }
template <typename T>
absl::Status ToStatus(const absl::StatusOr<T>& value) {
  return value.status();
}

template <typename T>
T TakeValue(absl::StatusOr<T> value) {
  INFO(std::string(MessageOf(value.status())));
  REQUIRE(value.ok());
  return std::move(value).value();
}

}  // namespace omserve

#define REQUIRE_OK(expr)                                                \
  do {                                                                  \
    const ::absl::Status require_ok_status = ::omserve::ToStatus(expr); \
    INFO(std::string(::omserve::MessageOf(require_ok_status)));         \
    REQUIRE(require_ok_status.ok());                                    \
  } while (false)

#define VALUE(expr) ::omserve::TakeValue(expr)
