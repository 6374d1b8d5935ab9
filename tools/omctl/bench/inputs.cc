// SPDX-License-Identifier: Apache-2.0
#include "tools/omctl/bench/inputs.h"

#include <openssl/evp.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <map>
#include <optional>
#include <random>
#include <string_view>
#include <utility>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "tools/omctl/tensor_text.h"

namespace omserve::bench {
namespace {

namespace json = boost::json;
using Payload = std::vector<client::Tensor>;

constexpr int64_t kMostElements = int64_t{1} << 28;
constexpr size_t kTextLength = 16;

const TensorSpec* Named(const std::vector<TensorSpec>& specs, std::string_view name) {
  const auto found =
      std::ranges::find_if(specs, [name](const TensorSpec& spec) { return spec.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

absl::StatusOr<Dims> ParseDims(std::string_view text) {
  Dims dims;
  while (true) {
    const std::string_view part = text.substr(0, text.find(','));
    int64_t dim = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), dim);
    if (error != std::errc() || end != part.data() + part.size() || dim < 0) {
      return InvalidArgument("'{}' is no size", part);
    }
    dims.push_back(dim);
    if (part.size() == text.size()) {
      return dims;
    }
    text.remove_prefix(part.size() + 1);
  }
}

// The dims of each input with every size decided; those that stay open are -1.
absl::StatusOr<std::map<std::string, Dims>> DecideDims(const std::vector<TensorSpec>& specs,
                                                       const InputOptions& options) {
  std::map<std::string, Dims> dims;
  bool batches = false;
  for (const TensorSpec& spec : specs) {
    dims[spec.name] = spec.dims;
    if (!spec.dims.empty() && spec.dims.front() < 0) {
      dims[spec.name].front() = options.batch;
      batches = true;
    }
  }
  if (options.batch != 1 && !batches) {
    return InvalidArgument("--batch {}: no input of the model begins with an open size",
                           options.batch);
  }
  for (const std::string& shape : options.shapes) {
    const size_t colon = shape.find(':');
    const TensorSpec* spec = Named(specs, std::string_view(shape).substr(0, colon));
    if (spec == nullptr || colon == std::string::npos) {
      return InvalidArgument(
          "--shape '{}': expected NAME:SIZES with an input's name, as in x:3,224", shape);
    }
    absl::StatusOr<Dims> given = ParseDims(std::string_view(shape).substr(colon + 1));
    if (!given.ok()) {
      return WithContext(given.status(), fmt::format("--shape '{}'", shape));
    }
    if (given->size() + 1 == spec->dims.size()) {
      given->insert(given->begin(), dims[spec->name].front());
    }
    const bool fits = given->size() == spec->dims.size() &&
                      std::ranges::equal(*given, spec->dims,
                                         [](int64_t a, int64_t b) { return b < 0 || a == b; });
    if (!fits) {
      return InvalidArgument("--shape '{}' does not fit the input's {}", shape,
                             DimsToString(spec->dims));
    }
    dims[spec->name] = *std::move(given);
  }
  return dims;
}

template <typename T>
void Append(std::string& raw, T value) {
  const char* bytes = static_cast<const char*>(static_cast<const void*>(&value));
  raw.append(bytes, sizeof(T));
}

absl::StatusOr<client::Tensor> Generate(const TensorSpec& spec, const Dims& dims, bool random,
                                        std::mt19937_64& source) {
  const std::optional<int64_t> count = ElementCount(dims);
  if (!count.has_value()) {
    return InvalidArgument("input '{}' is {}: decide its open sizes with --shape {}:SIZES",
                           spec.name, DimsToString(dims), spec.name);
  }
  if (*count > kMostElements) {
    return InvalidArgument("input '{}' would have {} elements", spec.name, *count);
  }
  client::Tensor tensor{.name = spec.name, .type = spec.type, .dims = dims};
  if (!random && spec.type != DataType::kBytes) {
    tensor.raw.assign(static_cast<size_t>(*count) * DataTypeSize(spec.type), '\0');
    return tensor;
  }
  for (int64_t i = 0; i < *count; ++i) {
    const uint64_t bits = source();
    const double fraction = static_cast<double>(bits >> 11) * 0x1p-53;
    switch (spec.type) {
      case DataType::kFp32:
        Append(tensor.raw, static_cast<float>(fraction));
        break;
      case DataType::kFp64:
        Append(tensor.raw, fraction);
        break;
      case DataType::kFp16:  // Sign and exponent of [0.5, 1), 10 bits of fraction.
        Append(tensor.raw, static_cast<uint16_t>(0x3800U | (bits >> 54)));
        break;
      case DataType::kBf16:  // The same with 7 bits.
        Append(tensor.raw, static_cast<uint16_t>(0x3F00U | (bits >> 57)));
        break;
      case DataType::kBytes: {
        std::string text;
        for (size_t c = 0; random && c < kTextLength; ++c) {
          text += static_cast<char>('a' + (source() % 26));
        }
        RETURN_IF_ERROR(AppendBytesElement(text, &tensor.raw));
        break;
      }
      default:  // Whole numbers, little-endian.
        tensor.raw += static_cast<char>(bits & 1U);
        tensor.raw.append(DataTypeSize(spec.type) - 1, '\0');
    }
  }
  return tensor;
}

absl::StatusOr<std::string> Base64Decoded(std::string_view text) {
  std::string decoded(text.size() / 4 * 3, '\0');
  const int length =
      EVP_DecodeBlock(static_cast<unsigned char*>(static_cast<void*>(decoded.data())),
                      static_cast<const unsigned char*>(static_cast<const void*>(text.data())),
                      static_cast<int>(text.size()));
  if (length < 0) {
    return InvalidArgument("it is not base64");
  }
  // EVP_DecodeBlock counts the padding as bytes.
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  decoded.resize(static_cast<size_t>(length) - padding);
  return decoded;
}

// One input as the JSON file has it.
absl::StatusOr<client::Tensor> FromJson(const TensorSpec& spec, const Dims& dims,
                                        const json::value& value) {
  TensorSpec wanted{.name = spec.name, .type = spec.type, .dims = dims};
  if (!value.is_object()) {
    return omctl::ParseTensor(wanted, json::serialize(value));
  }
  const json::object& object = value.as_object();
  if (const json::value* shape = object.if_contains("shape"); shape != nullptr) {
    const auto sizes = json::try_value_to<Dims>(*shape);
    if (sizes.has_error()) {
      return InvalidArgument("input '{}': its shape is no array of sizes", spec.name);
    }
    wanted.dims = *sizes;
    if (wanted.dims.size() + 1 == dims.size()) {
      wanted.dims.insert(wanted.dims.begin(), dims.front());
    }
  }
  if (const json::value* content = object.if_contains("content"); content != nullptr) {
    return omctl::ParseTensor(wanted, json::serialize(*content));
  }
  const json::value* b64 = object.if_contains("b64");
  if (b64 == nullptr || !b64->is_string()) {
    return InvalidArgument("input '{}' is an object without \"content\" or \"b64\"", spec.name);
  }
  ASSIGN_OR_RETURN(std::string raw, Base64Decoded(std::string_view(b64->as_string())));
  if (spec.type == DataType::kBytes) {
    client::Tensor tensor{.name = spec.name, .type = spec.type, .dims = wanted.dims};
    RETURN_IF_ERROR(AppendBytesElement(raw, &tensor.raw));
    return tensor;
  }
  if (TensorBytes(spec.type, wanted.dims) != raw.size()) {
    return InvalidArgument("input '{}': {} bytes of base64 do not fill {}", spec.name, raw.size(),
                           DimsToString(wanted.dims));
  }
  return client::Tensor{
      .name = spec.name, .type = spec.type, .dims = wanted.dims, .raw = std::move(raw)};
}

absl::StatusOr<json::array> ReadDataFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  json::error_code error;
  const json::value file = json::parse(text, error);
  const json::value* data =
      !error && file.is_object() ? file.as_object().if_contains("data") : nullptr;
  if (data == nullptr || !data->is_array() || data->as_array().empty()) {
    return InvalidArgument("{}: expected a JSON object with an array \"data\" of inputs", path);
  }
  return data->as_array();
}

}  // namespace

absl::StatusOr<std::vector<Payload>> MakePayloads(const std::vector<TensorSpec>& specs,
                                                  const InputOptions& options) {
  using Sizes = std::map<std::string, Dims>;
  ASSIGN_OR_RETURN(const Sizes dims, DecideDims(specs, options));
  std::map<std::string, client::Tensor> given;
  for (const std::string& value : options.values) {
    const size_t equals = value.find('=');
    const TensorSpec* spec = Named(specs, std::string_view(value).substr(0, equals));
    if (spec == nullptr || equals == std::string::npos) {
      return InvalidArgument("--input '{}': expected NAME=VALUE with an input's name", value);
    }
    ASSIGN_OR_RETURN(given[spec->name],
                     omctl::ParseTensor({spec->name, spec->type, dims.at(spec->name)},
                                        value.substr(equals + 1)));
  }
  json::array entries = {nullptr};
  const bool generated = options.data == "random" || options.data == "zero";
  if (!generated) {
    ASSIGN_OR_RETURN(entries, ReadDataFile(options.data));
  }
  std::mt19937_64 source(options.seed);
  std::vector<Payload> payloads;
  for (const json::value& entry : entries) {
    Payload payload;
    for (const TensorSpec& spec : specs) {
      if (const auto found = given.find(spec.name); found != given.end()) {
        payload.push_back(found->second);
        continue;
      }
      const json::value* value =
          entry.is_object() ? entry.as_object().if_contains(spec.name) : nullptr;
      if (!generated && value == nullptr) {
        return InvalidArgument("{}: element {} of \"data\" has no input '{}'", options.data,
                               payloads.size(), spec.name);
      }
      ASSIGN_OR_RETURN(client::Tensor tensor,
                       value != nullptr
                           ? FromJson(spec, dims.at(spec.name), *value)
                           : Generate(spec, dims.at(spec.name), options.data == "random", source));
      payload.push_back(std::move(tensor));
    }
    payloads.push_back(std::move(payload));
  }
  return payloads;
}

}  // namespace omserve::bench
