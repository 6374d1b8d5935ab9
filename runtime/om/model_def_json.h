// SPDX-License-Identifier: Apache-2.0
// A model's graph as JSON, for people and scripts.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/om/om_file.h"

namespace omserve::om {

// The ModelDef of one of the file's models: every field that it has under protobuf's name, maps as
// objects in the order of their keys, attribute names and texts with atc's compression undone.
// Texts that are not UTF-8, and contents of tensors, are {"base64": "..."}; bytes of fields that
// are not known are counted as "unknown_field_bytes". The same file gives the same text; ends with
// a line feed. Errors: kInvalidArgument when the file has no such model or it is damaged.
absl::StatusOr<std::string> ModelDefJson(const OmFile& file, size_t model = 0);

}  // namespace omserve::om
