// SPDX-License-Identifier: Apache-2.0
#include "server/core/custom_parameters.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"

namespace omserve::server {

bool IsCustomParameter(std::string_view name) {
  constexpr std::string_view kOwn[] = {
      "binary_data_output", "omserve_trace",  "priority", "sequence_end",
      "sequence_id",        "sequence_start", "timeout",  "triton_enable_empty_final_response"};
  return std::find(std::begin(kOwn), std::end(kOwn), name) == std::end(kOwn);
}

void TraceParameter(std::string_view name, std::string_view value, RequestTrace& trace) {
  if (trace.parameters.size() < kMostTracedParameters) {
    trace.parameters.push_back({.name = KeptText(name), .value = KeptText(value)});
  }
}

void TraceHeader(const config::HeaderPattern& pattern, std::string_view name,
                 std::string_view value, RequestTrace& trace) {
  if (!pattern.Takes(name)) {
    return;
  }
  std::string text(KeptText(value));
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return !absl::ascii_isprint(static_cast<unsigned char>(c)); }, '?');
  TraceParameter(absl::AsciiStrToLower(std::string(name)), text, trace);
}

}  // namespace omserve::server
