// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/tokenize.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"
#include "runtime/hostops/call_check.h"
#include "runtime/hostops/json_words.h"
#include "runtime/hostops/parameters.h"

namespace omserve::hostops {
namespace {

constexpr std::array<std::string_view, 13> kParameters = {
    "bos",  "eos", "ids",   "input",    "isolate", "length", "lower_case",
    "mask", "pad", "strip", "truncate", "unk",     "vocab"};
constexpr int64_t kLengthMax = int64_t{1} << 20;

struct WordHash {
  using is_transparent = void;
  size_t operator()(std::string_view word) const { return std::hash<std::string_view>()(word); }
};
// Looked up by views of the text, so that a word is copied only to change its case.
using Vocabulary = std::unordered_map<std::string, int64_t, WordHash, std::equal_to<>>;

enum class CharClass : uint8_t { kLetter, kSpace, kIsolated };

struct Options {
  size_t length = 0;
  bool lower_case = true;
  bool truncate = false;
  std::array<CharClass, 256> classes{};  // Indexed by the byte.
  Vocabulary vocabulary;
  int64_t unk = 0;
  int64_t pad = 0;
  std::optional<int64_t> bos;
  std::optional<int64_t> eos;

  size_t SpecialCount() const { return (bos.has_value() ? 1U : 0U) + (eos.has_value() ? 1U : 0U); }
};

class Tokenize final : public HostOp {
 public:
  Tokenize(Options options, TensorSpec input, std::vector<TensorSpec> outputs)
      : options_(std::move(options)), inputs_{std::move(input)}, outputs_(std::move(outputs)) {}

  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  size_t MaxOutputBytes(size_t /*index*/, int rows) const override {
    return static_cast<size_t>(rows) * RowBytes();
  }
  absl::Status Run(int rows, std::span<const HostInput> inputs,
                   std::span<HostOutput> outputs) const override;

 private:
  size_t RowBytes() const { return options_.length * sizeof(int64_t); }
  int64_t IdOf(std::string_view word) const;
  size_t AppendWords(std::string_view text, size_t most, std::vector<int64_t>* ids) const;
  absl::Status EncodeRow(std::string_view text, std::vector<int64_t>* ids) const;

  const Options options_;
  const std::vector<TensorSpec> inputs_;
  const std::vector<TensorSpec> outputs_;
};

absl::Status Tokenize::Run(int rows, std::span<const HostInput> inputs,
                           std::span<HostOutput> outputs) const {
  RETURN_IF_ERROR(CheckCall(*this, rows, inputs, outputs));
  BytesTensorReader reader(inputs[0].bytes);
  std::vector<int64_t> ids;
  std::vector<int64_t> mask(options_.length);
  for (int row = 0; row < rows; ++row) {
    ASSIGN_OR_RETURN(const std::string_view text, reader.Next());
    RETURN_IF_ERROR(
        WithContext(EncodeRow(text, &ids), fmt::format("input '{}' row {}", inputs_[0].name, row)));
    for (size_t i = 0; i < mask.size(); ++i) {
      mask[i] = i < ids.size() ? 1 : 0;
    }
    ids.resize(options_.length, options_.pad);
    const size_t at = static_cast<size_t>(row) * RowBytes();
    std::memcpy(outputs[0].buffer.data() + at, ids.data(), RowBytes());
    std::memcpy(outputs[1].buffer.data() + at, mask.data(), RowBytes());
  }
  outputs[0].bytes_used = MaxOutputBytes(0, rows);
  outputs[1].bytes_used = MaxOutputBytes(1, rows);
  return absl::OkStatus();
}

// `ids` becomes the tokens of `text`, at most `length` of them, without padding.
absl::Status Tokenize::EncodeRow(std::string_view text, std::vector<int64_t>* ids) const {
  ids->clear();
  if (options_.bos.has_value()) {
    ids->push_back(*options_.bos);
  }
  const size_t room = options_.length - options_.SpecialCount();
  const size_t words = AppendWords(text, room, ids);
  if (words > room && !options_.truncate) {
    return InvalidArgument(
        "text has {} words, expected at most {} ({} tokens with {} of them for begin and end); "
        "send a shorter text, or set parameter 'truncate' to true",
        words, room, options_.length, options_.SpecialCount());
  }
  if (options_.eos.has_value()) {
    ids->push_back(*options_.eos);
  }
  return absl::OkStatus();
}

// Appends the first `most` words' numbers; returns how many words there are.
size_t Tokenize::AppendWords(std::string_view text, size_t most, std::vector<int64_t>* ids) const {
  size_t words = 0;
  const auto add = [&](std::string_view word) {
    if (words < most) {
      ids->push_back(IdOf(word));
    }
    ++words;
  };
  size_t start = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    const CharClass kind =
        i == text.size() ? CharClass::kSpace : options_.classes.at(static_cast<uint8_t>(text[i]));
    if (kind == CharClass::kLetter) {
      continue;
    }
    if (i > start) {
      add(text.substr(start, i - start));
    }
    if (kind == CharClass::kIsolated) {
      add(text.substr(i, 1));
    }
    start = i + 1;
  }
  return words;
}

int64_t Tokenize::IdOf(std::string_view word) const {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  auto found = options_.vocabulary.end();
  if (options_.lower_case && std::any_of(word.begin(), word.end(), is_upper)) {
    std::string lower(word);
    for (char& c : lower) {
      if (is_upper(c)) {
        c = static_cast<char>(c - 'A' + 'a');
      }
    }
    found = options_.vocabulary.find(std::string_view(lower));
  } else {
    found = options_.vocabulary.find(word);
  }
  return found == options_.vocabulary.end() ? options_.unk : found->second;
}

absl::StatusOr<Vocabulary> ReadVocabulary(const Parameters& parameters) {
  ASSIGN_OR_RETURN(const std::string path, parameters.File("vocab"));
  ASSIGN_OR_RETURN(std::vector<std::string> words, ReadJsonWords(path));
  Vocabulary vocabulary;
  vocabulary.reserve(words.size());
  for (std::string& word : words) {
    const auto id = static_cast<int64_t>(vocabulary.size());
    const auto [entry, added] = vocabulary.emplace(std::move(word), id);
    if (!added) {
      return InvalidArgument("'{}': words {} and {} are both '{}', expected each word once", path,
                             entry->second, id, entry->first);
    }
  }
  return vocabulary;
}

// The number of the word that parameter `name` gives; nothing when it is empty.
absl::StatusOr<std::optional<int64_t>> SpecialWord(const Parameters& parameters,
                                                   std::string_view name, std::string_view fallback,
                                                   const Vocabulary& vocabulary) {
  const std::string word = parameters.Text(name, fallback);
  if (word.empty()) {
    return std::optional<int64_t>();
  }
  const auto found = vocabulary.find(word);
  if (found == vocabulary.end()) {
    return parameters.Wrong(name, fmt::format("a word of the vocabulary, which has no '{}'", word));
  }
  return std::optional<int64_t>(found->second);
}

absl::Status ReadSpecialWords(const Parameters& parameters, Options* options) {
  const Vocabulary& vocabulary = options->vocabulary;
  ASSIGN_OR_RETURN(const auto unk, SpecialWord(parameters, "unk", "<unk>", vocabulary));
  ASSIGN_OR_RETURN(const auto pad, SpecialWord(parameters, "pad", "<pad>", vocabulary));
  ASSIGN_OR_RETURN(options->bos, SpecialWord(parameters, "bos", "<bos>", vocabulary));
  ASSIGN_OR_RETURN(options->eos, SpecialWord(parameters, "eos", "<eos>", vocabulary));
  if (!unk.has_value()) {
    return parameters.Wrong("unk", "a word of the vocabulary");
  }
  if (!pad.has_value()) {
    return parameters.Wrong("pad", "a word of the vocabulary");
  }
  options->unk = *unk;
  options->pad = *pad;
  return absl::OkStatus();
}

absl::Status ReadClasses(const Parameters& parameters, Options* options) {
  const auto mark = [options](std::string_view characters, CharClass kind) {
    for (const char c : characters) {
      options->classes.at(static_cast<uint8_t>(c)) = kind;
    }
  };
  const std::string strip = parameters.Text("strip", "?.");
  const std::string isolate = parameters.Text("isolate", "");
  for (const char c : isolate) {
    if (strip.find(c) != std::string::npos) {
      return parameters.Wrong("isolate", "no character that is in 'strip' as well");
    }
  }
  mark(" \t\n\v\f\r", CharClass::kSpace);
  mark(strip, CharClass::kSpace);
  mark(isolate, CharClass::kIsolated);
  return absl::OkStatus();
}

absl::StatusOr<Options> ReadOptions(const Parameters& parameters) {
  Options options;
  ASSIGN_OR_RETURN(const int64_t length, parameters.Integer("length", 1, kLengthMax));
  ASSIGN_OR_RETURN(options.lower_case, parameters.Flag("lower_case", true));
  ASSIGN_OR_RETURN(options.truncate, parameters.Flag("truncate", false));
  RETURN_IF_ERROR(ReadClasses(parameters, &options));
  ASSIGN_OR_RETURN(options.vocabulary, ReadVocabulary(parameters));
  RETURN_IF_ERROR(ReadSpecialWords(parameters, &options));
  options.length = static_cast<size_t>(length);
  if (options.length <= options.SpecialCount()) {
    return parameters.Wrong("length", "room for at least one word beside 'bos' and 'eos'");
  }
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HostOp>> MakeTokenize(const HostOpConfig& config) {
  ASSIGN_OR_RETURN(const Parameters parameters, Parameters::Make(config, kParameters));
  ASSIGN_OR_RETURN(Options options, ReadOptions(parameters));
  ASSIGN_OR_RETURN(std::string input, parameters.Word("input", "text"));
  ASSIGN_OR_RETURN(std::string ids, parameters.Word("ids", "input_ids"));
  ASSIGN_OR_RETURN(std::string mask, parameters.Word("mask", "attention_mask"));
  if (ids == mask) {
    return parameters.Wrong("mask", "another name than that of 'ids'");
  }
  const Dims dims = {static_cast<int64_t>(options.length)};
  std::vector<TensorSpec> outputs = {{std::move(ids), DataType::kInt64, dims},
                                     {std::move(mask), DataType::kInt64, dims}};
  return std::make_unique<Tokenize>(
      std::move(options), TensorSpec{std::move(input), DataType::kBytes, {1}}, std::move(outputs));
}

}  // namespace omserve::hostops
