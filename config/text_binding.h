// SPDX-License-Identifier: Apache-2.0
// Text onto any protobuf message, with the place of everything that is wrong.
#pragma once

#include <google/protobuf/message.h>

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "config/source_map.h"

namespace omserve::config {

enum class TextFormat { kYaml, kPbtxt, kJson };

// Longest file that is read.
inline constexpr size_t kMaxConfigBytes = size_t{4} << 20;

// Sets the fields of `message` that `text` names. YAML keeps what it does not name and replaces the
// lists and maps that it names; the other two start from an empty message. `file` is the name that
// errors and the returned map show.
//
// YAML: keys are field names; a map for messages and maps, a list for repeated fields, enums by
// name; numbers of fields named *_bytes, *_ms, *_us and *_microseconds may have a unit (64MiB,
// 5ms). All errors of a file are reported, up to 20. Null is refused, since "nothing" may be meant
// as "default" or as "off"; {} is the empty message.
// pbtxt: protobuf's text format; its parser stops at the first error.
// JSON: protobuf's JSON mapping; errors and the returned map have no lines.
//
// Errors: kInvalidArgument, one line each: "FILE:LINE:COLUMN: key 'max_que_size': unknown; did you
// mean 'max_queue_size'? known keys: ...". After an error `message` is partly set.
absl::StatusOr<SourceMap> BindText(TextFormat format, const std::string& text,
                                   const std::string& file, google::protobuf::Message& message);

}  // namespace omserve::config
