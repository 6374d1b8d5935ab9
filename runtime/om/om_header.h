// SPDX-License-Identifier: Apache-2.0
// The 256 bytes in front of every `.om` file and bundle. Internal to runtime/om.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/om/om_file.h"

namespace omserve::om {

// The fields, each by the layout of the header's version; whether they fit the file is for the
// caller to check. Errors: kInvalidArgument naming the field and its byte, and for files that are
// another format (ONNX, om2, a Git LFS pointer) what they seem to be.
absl::StatusOr<Header> ParseHeader(std::span<const std::byte> bytes);

// A v2 header for one model whose payload follows. Errors: kInvalidArgument for a text that does
// not fit its field.
absl::StatusOr<std::string> WriteHeader(const Header& header, uint64_t payload_bytes, bool wide);

}  // namespace omserve::om
