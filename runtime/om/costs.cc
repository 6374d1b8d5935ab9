// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/costs.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "runtime/base/errors.h"
#include "runtime/om/model_def_names.h"
#include "runtime/om/utf8.h"

namespace omserve::om {
namespace {

size_t CostCount(const ModelDescription& description) {
  return std::max<size_t>(1, description.gears.size());
}

std::optional<int64_t> ParseCost(std::string_view text) {
  int64_t cost = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, cost);
  if (error != std::errc() || stop != end || cost < 1 || cost > kMostCostUs) {
    return std::nullopt;
  }
  return cost;
}

absl::StatusOr<int64_t> RequireCost(std::string_view text) {
  const std::optional<int64_t> cost = ParseCost(text);
  if (!cost.has_value()) {
    return InvalidArgument("cost '{}': expected microseconds from 1 to {}", PrintableText(text),
                           kMostCostUs);
  }
  return *cost;
}

// One "gear:cost" into its place.
absl::Status ReadEntry(std::string_view entry, const ModelDescription& description,
                       std::vector<int64_t>& costs) {
  const size_t colon = entry.find(':');
  const std::string_view key = entry.substr(0, colon);
  const auto gear =
      std::find_if(description.gears.begin(), description.gears.end(),
                   [key](const GearDescription& one) { return GearKey(one.values) == key; });
  if (colon == std::string_view::npos || gear == description.gears.end()) {
    return InvalidArgument("cost '{}': expected GEAR:MICROSECONDS with a gear of {}",
                           PrintableText(entry), GearKeys(description));
  }
  int64_t& cost = costs[static_cast<size_t>(gear - description.gears.begin())];
  if (cost != 0) {
    return InvalidArgument("cost '{}': gear {} is there twice", PrintableText(entry), key);
  }
  ASSIGN_OR_RETURN(cost, RequireCost(entry.substr(colon + 1)));
  return absl::OkStatus();
}

}  // namespace

std::string GearKey(std::span<const int64_t> values) {
  return fmt::format("{}", fmt::join(values, "x"));
}

std::string GearKeys(const ModelDescription& description) {
  std::string keys;
  for (const GearDescription& gear : description.gears) {
    keys += (keys.empty() ? "" : ", ") + GearKey(gear.values);
  }
  return keys.empty() ? "none" : keys;
}

absl::StatusOr<std::vector<int64_t>> ParseCosts(std::string_view text,
                                                const ModelDescription& description) {
  std::vector<int64_t> costs(CostCount(description), 0);
  if (description.gears.empty()) {
    ASSIGN_OR_RETURN(costs.front(), RequireCost(text));
    return costs;
  }
  while (true) {
    const size_t comma = text.find(',');
    RETURN_IF_ERROR(ReadEntry(text.substr(0, comma), description, costs));
    if (comma == std::string_view::npos) {
      break;
    }
    text.remove_prefix(comma + 1);
  }
  const auto missing = std::find(costs.begin(), costs.end(), 0);
  if (missing != costs.end()) {
    const auto gear = static_cast<size_t>(missing - costs.begin());
    return InvalidArgument("no cost for gear {}; the gears are {}",
                           GearKey(description.gears[gear].values), GearKeys(description));
  }
  return costs;
}

std::string FormatCosts(const ModelDescription& description) {
  if (description.cost_us.empty() || description.gears.empty()) {
    return fmt::format("{}", fmt::join(description.cost_us, ","));
  }
  std::string text;
  for (size_t i = 0; i < description.gears.size(); ++i) {
    text += fmt::format("{}{}:{}", i == 0 ? "" : ",", GearKey(description.gears[i].values),
                        description.cost_us[i]);
  }
  return text;
}

absl::Status CheckCosts(const ModelDescription& description) {
  if (description.cost_us.empty()) {
    return absl::OkStatus();
  }
  if (description.cost_us.size() != CostCount(description)) {
    return InvalidArgument("attribute '{}' has {} numbers, expected {}, one per gear", kCostAttr,
                           description.cost_us.size(), CostCount(description));
  }
  for (const int64_t cost : description.cost_us) {
    if (cost < 1 || cost > kMostCostUs) {
      return InvalidArgument("attribute '{}' holds {}, expected microseconds from 1 to {}",
                             kCostAttr, cost, kMostCostUs);
    }
  }
  return absl::OkStatus();
}

}  // namespace omserve::om
