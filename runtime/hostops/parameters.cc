// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/parameters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <optional>
#include <system_error>

#include "runtime/base/errors.h"
#include "runtime/hostops/host_op.h"

namespace omserve::hostops {
namespace {

// Letters inserted, dropped, replaced or swapped with their neighbour to come from `a` to `b`.
size_t EditDistance(std::string_view a, std::string_view b) {
  // Three rows of the table of distances between beginnings of `a` and of `b`.
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> above(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    before.swap(above);
    above.swap(row);
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      row[j + 1] = std::min({above[j] + (a[i] == b[j] ? 0 : 1), above[j + 1] + 1, row[j] + 1});
      if (i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j]) {
        row[j + 1] = std::min(row[j + 1], before[j - 1] + 1);
      }
    }
  }
  return row[b.size()];
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

// The whole of `text` as a number, or nothing.
template <typename T>
std::optional<T> ParseNumber(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, value);
  if (text.empty() || result.ec != std::errc() || result.ptr != end) {
    return std::nullopt;
  }
  return value;
}

// All the numbers of a list, or nothing when one of them is none.
std::optional<std::vector<double>> ParseNumbers(std::string_view text) {
  std::vector<double> numbers;
  while (true) {
    const size_t comma = text.find(',');
    const std::optional<double> number = ParseNumber<double>(Trimmed(text.substr(0, comma)));
    if (!number.has_value() || !std::isfinite(*number)) {
      return std::nullopt;
    }
    numbers.push_back(*number);
    if (comma == std::string_view::npos) {
      return numbers;
    }
    text.remove_prefix(comma + 1);
  }
}

// Lexical: an absolute name, or one with a "..", is refused before the disk is asked anything.
bool LeavesFolder(const std::filesystem::path& name) {
  return name.is_absolute() || std::find(name.begin(), name.end(), "..") != name.end();
}

bool IsWithin(const std::filesystem::path& folder, const std::filesystem::path& path) {
  const auto [end_of_folder, rest] =
      std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end_of_folder == folder.end() && rest != path.end();
}

}  // namespace

std::string_view NearestName(std::string_view word, std::span<const std::string_view> known) {
  std::string_view nearest;
  size_t least = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string_view name : known) {
    // A word this much longer than the name cannot be near; not measuring it bounds the work for
    // configurations that nobody typed.
    if (word.size() > name.size() + least) {
      continue;
    }
    const size_t distance = EditDistance(word, name);
    if (distance < least) {
      least = distance;
      nearest = name;
    }
  }
  return nearest;
}

std::string NameAndKnown(std::string_view name, std::span<const std::string_view> known) {
  const std::string_view nearest = NearestName(name, known);
  return nearest.empty() ? fmt::format("'{}'; known are {}", name, fmt::join(known, ", "))
                         : fmt::format("'{}', did you mean '{}'? Known are {}", name, nearest,
                                       fmt::join(known, ", "));
}

absl::StatusOr<Parameters> Parameters::Make(const HostOpConfig& config,
                                            std::span<const std::string_view> known) {
  for (const auto& entry : config.parameters) {
    const std::string& name = entry.first;
    if (std::find(known.begin(), known.end(), name) != known.end()) {
      continue;
    }
    return InvalidArgument("host op '{}': unknown parameter {}", config.op,
                           NameAndKnown(name, known));
  }
  return Parameters(config);
}

bool Parameters::Has(std::string_view name) const {
  return config_->parameters.count(std::string(name)) != 0;
}

std::string Parameters::Text(std::string_view name, std::string_view fallback) const {
  const auto found = config_->parameters.find(std::string(name));
  return found == config_->parameters.end() ? std::string(fallback) : found->second;
}

absl::Status Parameters::Wrong(std::string_view name, std::string_view expected) const {
  return Has(name) ? InvalidArgument("host op '{}': parameter '{}' is '{}', expected {}",
                                     config_->op, name, Text(name, ""), expected)
                   : InvalidArgument("host op '{}': parameter '{}' is missing, expected {}",
                                     config_->op, name, expected);
}

absl::StatusOr<std::string> Parameters::Word(std::string_view name,
                                             std::string_view fallback) const {
  std::string text = Text(name, fallback);
  if (text.empty()) {
    return Wrong(name, "a text that is not empty");
  }
  return text;
}

absl::StatusOr<std::string> Parameters::Choice(std::string_view name,
                                               std::span<const std::string_view> choices) const {
  std::string text = Text(name, choices.front());
  if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
    return Wrong(name, fmt::format("one of {}", fmt::join(choices, ", ")));
  }
  return text;
}

absl::StatusOr<bool> Parameters::Flag(std::string_view name, bool fallback) const {
  const std::string text = Text(name, fallback ? "true" : "false");
  if (text != "true" && text != "false") {
    return Wrong(name, "true or false");
  }
  return text == "true";
}

absl::StatusOr<int64_t> Parameters::Integer(std::string_view name, int64_t least,
                                            int64_t most) const {
  const std::optional<int64_t> value = ParseNumber<int64_t>(Text(name, ""));
  if (!value.has_value() || *value < least || *value > most) {
    return Wrong(name, fmt::format("a whole number from {} to {}", least, most));
  }
  return *value;
}

absl::StatusOr<int64_t> Parameters::Integer(std::string_view name, int64_t least, int64_t most,
                                            int64_t fallback) const {
  return Has(name) ? Integer(name, least, most) : fallback;
}

absl::StatusOr<std::vector<double>> Parameters::Numbers(std::string_view name, size_t count,
                                                        double fallback) const {
  if (!Has(name)) {
    return std::vector<double>(count, fallback);
  }
  const std::optional<std::vector<double>> numbers = ParseNumbers(Text(name, ""));
  if (numbers.has_value() && numbers->size() == 1) {
    return std::vector<double>(count, numbers->front());
  }
  if (!numbers.has_value() || numbers->size() != count) {
    return Wrong(name, count == 1 ? std::string("one number")
                                  : fmt::format("1 or {} numbers separated by commas", count));
  }
  return *numbers;
}

absl::StatusOr<std::string> Parameters::File(std::string_view name) const {
  ASSIGN_OR_RETURN(const std::string text, Word(name, ""));
  if (LeavesFolder(text) || text.find('\0') != std::string::npos || config_->folder.empty()) {
    return Wrong(name, fmt::format("a file name relative to the model's folder '{}', without '..'",
                                   config_->folder));
  }
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::canonical(config_->folder, error);
  if (error) {
    return NotFound("host op '{}': folder '{}' of parameter '{}': {}", config_->op, config_->folder,
                    name, error.message());
  }
  const std::filesystem::path path = std::filesystem::weakly_canonical(folder / text, error);
  if (error) {
    return Wrong(name, fmt::format("a file in folder '{}' that can be reached ({})",
                                   config_->folder, error.message()));
  }
  if (!IsWithin(folder, path)) {
    return Wrong(name, fmt::format("a file inside folder '{}', but its symbolic link leads out of "
                                   "it; copy the file",
                                   config_->folder));
  }
  if (!std::filesystem::exists(path, error)) {
    return NotFound("host op '{}': parameter '{}' names '{}', but folder '{}' has no such file",
                    config_->op, name, text, config_->folder);
  }
  return path.string();
}

}  // namespace omserve::hostops
