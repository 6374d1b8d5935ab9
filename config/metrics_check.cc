// SPDX-License-Identifier: Apache-2.0
#include "config/metrics_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "runtime/base/errors.h"
#include "runtime/base/split.h"

namespace omserve::config {
namespace {

constexpr std::string_view kOwnLabels[] = {"model",  "version",        "reason", "stage",
                                           "step",   "device",         "le",     "quantile",
                                           "beside", "beside_version", "part",   "gpu_uuid"};

bool IsLabel(const std::string& name) {
  const auto is_letter = [](unsigned char c) { return std::isalpha(c) != 0 || c == '_'; };
  return !name.empty() && is_letter(static_cast<unsigned char>(name.front())) &&
         !name.starts_with("__") && std::ranges::all_of(name, [&](unsigned char c) {
           return is_letter(c) || std::isdigit(c) != 0;
         });
}

void CheckTags(const inference::ModelConfig& config, Findings& findings) {
  for (const auto& [name, value] : config.metric_tags()) {
    const std::string path = fmt::format("metric_tags[{}]", name);
    if (!IsLabel(name)) {
      findings.Error(path,
                     "expected a name of letters, digits and _ that does not begin with a "
                     "digit or __, as labels of metrics have");
    } else if (std::ranges::find(kOwnLabels, name) != std::end(kOwnLabels)) {
      findings.Error(path, "samples have a label of this name already; choose another");
    }
  }
}

constexpr size_t kMostQuantiles = 16;  // Each is a sample of every model.

// From 0 to 1; nullopt: it is no such number.
std::optional<double> Share(std::string_view number) {
  double value = -1;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  const bool is_read = error == std::errc() && end == number.data() + number.size();
  return is_read && value >= 0 && value <= 1 ? std::optional(value) : std::nullopt;
}

}  // namespace

void CheckMetrics(const inference::ModelConfig& config, Findings& findings) {
  CheckTags(config, findings);
  for (int i = 0; i < config.model_metrics().metric_control_size(); ++i) {
    const auto& control = config.model_metrics().metric_control(i);
    const std::string path = fmt::format("model_metrics.metric_control[{}]", i);
    if (control.metric_identifier().family() != "nv_inference_first_response_histogram_ms") {
      findings.Warn(
          path, fmt::format("'{}' has no buckets to set", control.metric_identifier().family()));
      continue;
    }
    const auto& buckets = control.histogram_options().buckets();
    if (std::ranges::adjacent_find(buckets, std::greater_equal<>()) != buckets.end() ||
        (!buckets.empty() && !(buckets[0] > 0))) {
      findings.Error(path + ".histogram_options.buckets",
                     "expected bounds above 0 that grow, milliseconds");
    }
  }
}

absl::StatusOr<std::vector<double>> ReadQuantiles(std::string_view text) {
  std::vector<double> quantiles;
  for (const std::string_view pair : Split(text, ',')) {
    const std::vector<std::string_view> numbers = Split(pair, ':');
    const std::optional<double> quantile = Share(numbers.front());
    const bool is_pair = numbers.size() <= 2 && Share(numbers.back()).has_value();
    if (!quantile.has_value() || !is_pair) {
      return InvalidArgument(
          "expected QUANTILE:ERROR, each from 0 to 1, separated by commas, got '{}'", text);
    }
    if (std::find(quantiles.begin(), quantiles.end(), *quantile) != quantiles.end()) {
      return InvalidArgument("expected each quantile once, got '{}'", text);
    }
    if (quantiles.size() == kMostQuantiles) {
      return InvalidArgument("expected at most {} quantiles, got '{}'", kMostQuantiles, text);
    }
    quantiles.push_back(*quantile);
  }
  return quantiles;
}

}  // namespace omserve::config
