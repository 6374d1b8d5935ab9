// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/atc_command.h"

#include <algorithm>
#include <charconv>

namespace omserve::om {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsQuote(char c) { return c == '"' || c == '\''; }

// The words as a shell splits them. The command is shown text, so an open quote ends at the end.
std::vector<std::string> Words(std::string_view command) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = '\0';
  for (const char c : command) {
    if (quote == '\0' && IsBlank(c)) {
      in_word = false;
      continue;
    }
    if (!in_word) {
      words.emplace_back();
      in_word = true;
    }
    if (quote == '\0' && IsQuote(c)) {
      quote = c;
    } else if (c == quote) {
      quote = '\0';
    } else {
      words.back() += c;
    }
  }
  return words;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

std::string_view WithoutBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && IsBlank(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

// "1,-1,3"; nullopt for anything else, and for no number at all.
std::optional<std::vector<int64_t>> Numbers(std::string_view text) {
  std::vector<int64_t> numbers;
  for (const std::string_view part : Split(text, ',')) {
    const std::string_view digits = WithoutBlanks(part);
    int64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size()) {
      return std::nullopt;
    }
    numbers.push_back(number);
  }
  return numbers.empty() ? std::nullopt : std::optional(std::move(numbers));
}

// "1,16;8,32": one list per gear. Empty when any of them is malformed.
std::vector<std::vector<int64_t>> NumberLists(std::string_view text) {
  std::vector<std::vector<int64_t>> lists;
  for (const std::string_view part : Split(text, ';')) {
    std::optional<std::vector<int64_t>> numbers = Numbers(part);
    if (!numbers.has_value() || lists.size() == kMostGears) {
      return {};
    }
    lists.push_back(*std::move(numbers));
  }
  return lists;
}

}  // namespace

std::optional<std::string> CommandOption(std::string_view command, std::string_view name) {
  const std::string option = "--" + std::string(name);
  std::optional<std::string> value;
  const std::vector<std::string> words = Words(command);
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i].starts_with(option + "=")) {
      value = words[i].substr(option.size() + 1);
    } else if (words[i] == option && i + 1 < words.size()) {
      value = words[i + 1];
    }
  }
  return value;
}

std::vector<std::pair<std::string, std::vector<int64_t>>> CommandShapes(std::string_view command) {
  std::vector<std::pair<std::string, std::vector<int64_t>>> shapes;
  const std::string text = CommandOption(command, "input_shape").value_or("");
  for (const std::string_view part : Split(text, ';')) {
    const size_t colon = part.rfind(':');  // Names may hold one.
    std::optional<std::vector<int64_t>> dims;
    if (colon != std::string_view::npos) {
      dims = Numbers(part.substr(colon + 1));
    }
    if (!dims.has_value()) {
      return {};
    }
    shapes.emplace_back(WithoutBlanks(part.substr(0, colon)), *std::move(dims));
  }
  return shapes;
}

std::vector<std::string> ApplyCommandShapes(std::string_view command, ModelIo& io) {
  std::vector<std::string> names;
  for (const auto& [name, dims] : CommandShapes(command)) {
    names.push_back(name);
    const auto input = std::ranges::find(io.inputs, name, &IoDescription::name);
    if (input != io.inputs.end() && input->dims.size() == dims.size()) {
      input->dims = dims;
    }
  }
  return names;
}

CommandGears ReadCommandGears(std::string_view command) {
  CommandGears gears;
  if (const auto batches = CommandOption(command, "dynamic_batch_size")) {
    for (const int64_t batch : Numbers(*batches).value_or(std::vector<int64_t>())) {
      gears.values.push_back({batch});
    }
    gears.kind = GearKind::kBatch;
  } else if (const auto images = CommandOption(command, "dynamic_image_size")) {
    gears.values = NumberLists(*images);
    gears.kind = GearKind::kImage;
  } else if (const auto dims = CommandOption(command, "dynamic_dims")) {
    gears.values = NumberLists(*dims);
    gears.kind = GearKind::kDims;
  }
  if (gears.values.empty()) {
    gears.kind = GearKind::kNone;
  }
  return gears;
}

}  // namespace omserve::om
