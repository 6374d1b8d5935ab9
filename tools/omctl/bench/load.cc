// SPDX-License-Identifier: Apache-2.0
#include "tools/omctl/bench/load.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "runtime/base/errors.h"
#include "runtime/base/split.h"

namespace omserve::bench {
namespace {

constexpr size_t kMostValues = 1000;

std::optional<double> Number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

// Appends what one part between commas means; false when it means nothing.
bool AppendPart(std::string_view part, std::vector<double>& values) {
  const std::vector<std::string_view> fields = Split(part, ':');
  const std::optional<double> first = Number(fields[0]);
  if (!first.has_value() || *first <= 0 || fields.size() > 3) {
    return false;
  }
  if (fields.size() == 1) {
    values.push_back(*first);
    return true;
  }
  const std::optional<double> last = Number(fields[1]);
  std::string_view step_text = fields.size() == 3 ? fields[2] : "1";
  const bool multiplies = step_text.starts_with('x');
  step_text.remove_prefix(multiplies ? 1 : 0);
  const std::optional<double> step = Number(step_text);
  if (!last.has_value() || *last < *first || !step.has_value() ||
      *step <= (multiplies ? 1.0 : 0.0)) {
    return false;
  }
  // A last value that the steps pass by a rounding error belongs to them.
  const double end = *last * (1 + 1e-9);
  for (double value = *first; value <= end && values.size() <= kMostValues;
       value = multiplies ? value * *step : value + *step) {
    values.push_back(value);
  }
  return true;
}

}  // namespace

absl::StatusOr<std::vector<double>> ParseSweep(const std::string& text) {
  std::vector<double> values;
  for (const std::string_view part : Split(text, ',')) {
    if (!AppendPart(part, values)) {
      return InvalidArgument(
          "'{}' is no list of loads; expected positive numbers such as 8, 1,2,8, 1:32:x2 or "
          "500:2000:500",
          text);
    }
  }
  if (values.size() > kMostValues) {
    return InvalidArgument("'{}' has more than {} values", text, kMostValues);
  }
  return values;
}

absl::StatusOr<std::vector<int>> ParseCountSweep(const std::string& text) {
  ASSIGN_OR_RETURN(const std::vector<double> values, ParseSweep(text));
  std::vector<int> counts;
  for (const double value : values) {
    if (value != std::floor(value) || value > 1e6) {
      return InvalidArgument("'{}': {} is not a whole number up to 1000000", text, value);
    }
    counts.push_back(static_cast<int>(value));
  }
  return counts;
}

absl::StatusOr<Clock::duration> ParseDuration(const std::string& text) {
  const size_t unit_at = text.find_first_not_of("0123456789.");
  const std::string_view unit =
      unit_at == std::string::npos ? std::string_view() : std::string_view(text).substr(unit_at);
  const std::optional<double> number = Number(std::string_view(text).substr(0, unit_at));
  const double ns = unit == "ns"   ? 1
                    : unit == "us" ? 1e3
                    : unit == "ms" ? 1e6
                    : unit == "s"  ? 1e9
                    : unit == "m"  ? 60e9
                                   : 0;
  if (!number.has_value() || *number * ns < 1 || *number * ns > 86400e9) {
    return InvalidArgument(
        "'{}' is no duration up to a day; expected one such as 250us, 1.5ms or 2s", text);
  }
  return Clock::duration(static_cast<int64_t>(std::llround(*number * ns)));
}

absl::StatusOr<Arrivals> ParseArrivals(const std::string& text) {
  if (text == "poisson") {
    return Arrivals::kPoisson;
  }
  if (text == "constant") {
    return Arrivals::kConstant;
  }
  return InvalidArgument("'{}': arrivals are poisson or constant", text);
}

Clock::duration ArrivalSchedule::Next() {
  if (arrivals_ == Arrivals::kConstant) {
    // From the count, so that errors do not add up.
    seconds_ = static_cast<double>(count_++) / rate_;
  } else {
    // 53 random bits in (0, 1]; the standard's own distributions differ between libraries.
    const double u = static_cast<double>((random_() >> 11) + 1) * 0x1p-53;
    seconds_ += -std::log(u) / rate_;
  }
  return Clock::duration(static_cast<int64_t>(seconds_ * 1e9));
}

}  // namespace omserve::bench
