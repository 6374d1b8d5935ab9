// SPDX-License-Identifier: Apache-2.0
#include "server/core/load_report.h"

#include <fmt/format.h>

#include "absl/strings/match.h"

namespace omserve::server {

std::optional<LoadFormat> ReadLoadFormat(std::string_view name) {
  const auto is = [&name](const char* other) {
    return absl::EqualsIgnoreCase(std::string(name), other);
  };
  return is("text")   ? std::optional(LoadFormat::kText)
         : is("json") ? std::optional(LoadFormat::kJson)
                      : std::nullopt;
}

std::string LoadText(const LoadReport& report, LoadFormat format) {
  const bool is_json = format == LoadFormat::kJson;
  std::string text = is_json ? R"(JSON {"named_metrics":{)" : "TEXT ";
  std::string_view separator;
  for (const auto& [name, value] : report) {
    text += separator;
    text += is_json ? fmt::format(R"("{}":{})", name, value)
                    : fmt::format("named_metrics.{}={}", name, value);
    separator = is_json ? "," : ", ";
  }
  return text + (is_json ? "}}" : "");
}

}  // namespace omserve::server
