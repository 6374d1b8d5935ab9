// SPDX-License-Identifier: Apache-2.0
#include "server/core/custom_parameters.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"

namespace omserve::server {
namespace {

void Add(std::string_view name, std::string_view value, std::vector<TracedParameter>& to) {
  std::string kept = KeptText(name);
  const bool is_there = std::any_of(
      to.begin(), to.end(), [&kept](const TracedParameter& other) { return other.name == kept; });
  if (to.size() < kMostTracedParameters && !is_there) {
    to.push_back({.name = std::move(kept), .value = KeptText(value)});
  }
}

}  // namespace

bool IsCustomParameter(std::string_view name) {
  constexpr std::string_view kOwn[] = {
      "binary_data_output", "omserve_trace",  "priority", "sequence_end",
      "sequence_id",        "sequence_start", "timeout",  "triton_enable_empty_final_response"};
  return std::find(std::begin(kOwn), std::end(kOwn), name) == std::end(kOwn);
}

void TraceParameter(std::string_view name, std::string_view value, RequestTrace& trace) {
  Add(name, value, trace.parameters);
}

void TraceHeader(const config::HeaderPattern& pattern, std::string_view name,
                 std::string_view value, RequestTrace& trace) {
  if (trace.headers.size() == kMostTracedParameters || !pattern.Takes(name)) {
    return;
  }
  std::string text(value.substr(0, kMostKeptBytes));
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return !absl::ascii_isprint(static_cast<unsigned char>(c)); }, '?');
  Add(absl::AsciiStrToLower(std::string(name)), text, trace.headers);
}

}  // namespace omserve::server
