// SPDX-License-Identifier: Apache-2.0
#include "server/core/classification.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/check.h"
#include "runtime/base/errors.h"
#include "server/core/inference.h"

namespace omserve::server {
namespace {

// Numbers that C++ has no type for, as they stand in a tensor.
struct Half {
  uint16_t bits;
};
struct BrainFloat {
  uint16_t bits;
};

float ValueOf(Half half) {
  constexpr int kFractionBits = 10;
  constexpr int kBias = 15;
  const int exponent = (half.bits >> kFractionBits) & 0x1F;
  const int fraction = half.bits & 0x3FF;
  float value = 0;
  if (exponent == 0x1F) {
    value = fraction == 0 ? std::numeric_limits<float>::infinity()
                          : std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    value = std::ldexp(static_cast<float>(fraction), 1 - kBias - kFractionBits);
  } else {
    value = std::ldexp(static_cast<float>(fraction | 0x400), exponent - kBias - kFractionBits);
  }
  return (half.bits & 0x8000) != 0 ? -value : value;
}

float ValueOf(BrainFloat brain) { return std::bit_cast<float>(uint32_t{brain.bits} << 16); }

template <typename Number>
Number ValueOf(Number number) {
  return number;
}

template <typename Value>
bool IsLarger(Value a, Value b) {
  if constexpr (std::is_floating_point_v<Value>) {
    if (std::isnan(a) || std::isnan(b)) {
      return !std::isnan(a) && std::isnan(b);
    }
  }
  return a > b;
}

template <typename Value>
void AppendText(Value value, size_t index, std::span<const std::string> labels,
                fmt::memory_buffer& text) {
  text.clear();
  auto out = std::back_inserter(text);
  if constexpr (std::is_floating_point_v<Value>) {
    // As a double, whose shortest digits are not asked for: the fixed ones of the exact value are.
    fmt::format_to(out, "{:.6f}:{}", static_cast<double>(value), index);
  } else {
    fmt::format_to(out, "{}:{}", +value, index);  // A number, also where it is a char.
  }
  if (index < labels.size() && !labels[index].empty()) {
    fmt::format_to(out, ":{}", labels[index]);
  }
}

template <typename Element>
void NameRow(std::span<const std::byte> row, size_t count, std::span<const std::string> labels,
             std::string* bytes) {
  using Value = decltype(ValueOf(Element{}));
  std::vector<Value> values(row.size() / sizeof(Element));
  for (size_t i = 0; i < values.size(); ++i) {
    Element element;  // Copied because the bytes need not be aligned.
    std::memcpy(&element, row.data() + i * sizeof(Element), sizeof(Element));
    values[i] = ValueOf(element);
  }
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(order.begin(), end, order.end(), [&values](size_t a, size_t b) {
    return IsLarger(values[a], values[b]) || (!IsLarger(values[b], values[a]) && a < b);
  });
  fmt::memory_buffer text;
  for (auto at = order.begin(); at != end; ++at) {
    AppendText(values[*at], *at, labels, text);
    const absl::Status added = AppendBytesElement({text.data(), text.size()}, bytes);
    OMSERVE_CHECK(added.ok(), "a text of a class is no longer than its label's file");
  }
}

using NameRowOf = void (*)(std::span<const std::byte>, size_t, std::span<const std::string>,
                           std::string*);

// Null for what is no number.
NameRowOf NamerOf(DataType type) {
  switch (type) {
    case DataType::kUint8:
      return &NameRow<uint8_t>;
    case DataType::kUint16:
      return &NameRow<uint16_t>;
    case DataType::kUint32:
      return &NameRow<uint32_t>;
    case DataType::kUint64:
      return &NameRow<uint64_t>;
    case DataType::kInt8:
      return &NameRow<int8_t>;
    case DataType::kInt16:
      return &NameRow<int16_t>;
    case DataType::kInt32:
      return &NameRow<int32_t>;
    case DataType::kInt64:
      return &NameRow<int64_t>;
    case DataType::kFp16:
      return &NameRow<Half>;
    case DataType::kBf16:
      return &NameRow<BrainFloat>;
    case DataType::kFp32:
      return &NameRow<float>;
    case DataType::kFp64:
      return &NameRow<double>;
    case DataType::kBool:
    case DataType::kBytes:
    case DataType::kInvalid:
      return nullptr;
  }
  return nullptr;
}

// What is left of `dims` without the batch.
std::span<const int64_t> RowDims(const Dims& dims, bool batched) {
  return std::span(dims).subspan(batched ? 1 : 0);
}

}  // namespace

absl::Status CheckClassification(const std::string& model, const TensorSpec& spec, bool batched,
                                 uint64_t count) {
  if (NamerOf(spec.type) == nullptr) {
    return InvalidArgument(
        "output '{}' for model '{}' cannot be asked for as classes, because {} are no numbers",
        spec.name, model, DataTypeName(spec.type));
  }
  const std::optional<int64_t> elements = ElementCount(RowDims(spec.dims, batched));
  const uint64_t most = elements.has_value() ? static_cast<uint64_t>(*elements) : count;
  if (std::min(count, most) > kMostClasses) {
    return InvalidArgument("output '{}' for model '{}' is asked for as {} classes, {} can be had",
                           spec.name, model, count, kMostClasses);
  }
  return absl::OkStatus();
}

ClassTexts NameClasses(const ClassScores& scores, uint64_t count,
                       std::span<const std::string> labels) {
  const NameRowOf name_row = NamerOf(scores.type);
  OMSERVE_CHECK(name_row != nullptr, "CheckClassification lets numbers through only");
  const auto elements =
      static_cast<size_t>(ElementCount(RowDims(scores.dims, scores.batched)).value_or(0));
  const auto classes = static_cast<size_t>(std::min<uint64_t>(count, elements));
  const size_t rows = scores.batched ? static_cast<size_t>(scores.dims.front()) : 1;
  const size_t row_bytes = elements * DataTypeSize(scores.type);
  OMSERVE_CHECK(rows * row_bytes == scores.bytes.size(), "a tensor has the bytes of its dims");
  ClassTexts texts;
  if (scores.batched) {
    texts.dims.push_back(scores.dims.front());
  }
  texts.dims.push_back(static_cast<int64_t>(classes));
  for (size_t row = 0; row < rows; ++row) {
    name_row(scores.bytes.subspan(row * row_bytes, row_bytes), classes, labels, &texts.bytes);
  }
  return texts;
}

void ClassifyOutputs(InferResult& result) {
  for (size_t i = 0; i < result.outputs.size() && i < result.classes.size(); ++i) {
    if (result.classes[i] == 0) {
      continue;
    }
    scheduler::ResponseOutput& output = result.outputs[i];
    const auto index = static_cast<size_t>(output.output);
    const Model& model = *result.model;
    const std::span<const std::string> labels =
        index < model.labels.size() ? model.labels[index] : std::span<const std::string>();
    ClassTexts texts = NameClasses({.type = model.outputs[index].type,
                                    .dims = output.dims,
                                    .bytes = output.bytes,
                                    .batched = model.plan->batched},
                                   result.classes[i], labels);
    const auto owner = std::make_shared<const std::string>(std::move(texts.bytes));
    output.dims = std::move(texts.dims);
    output.bytes = std::as_bytes(std::span(*owner));
    output.owner = owner;
  }
}

}  // namespace omserve::server
