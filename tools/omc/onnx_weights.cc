// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/onnx_weights.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "proto/onnx/onnx.pb.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/tensor.h"
#include "runtime/om/byte_reader.h"
#include "runtime/om/data_type.h"
#include "runtime/om/model_description.h"

namespace omserve::omc {
namespace {

absl::StatusOr<onnx::ModelProto> ParseOnnx(std::span<const std::byte> bytes) {
  if (bytes.size() > std::numeric_limits<int>::max()) {
    return InvalidArgument(
        "the ONNX model has {} bytes, at most 2 GiB can be read: save its weights as external data",
        bytes.size());
  }
  onnx::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !model.has_graph() ||
      model.graph().output().empty()) {
    return InvalidArgument(
        "not an ONNX model: the {} bytes are no ModelProto with a graph that has outputs",
        bytes.size());
  }
  return model;
}

template <typename To, typename From>
void AppendAll(std::string& out, const From& values) {
  for (const auto value : values) {
    om::AppendNumber(out, static_cast<To>(value));
  }
}

template <typename From>
void AppendBits(std::string& out, const From& values) {
  for (const auto value : values) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
}

// The typed fields as raw_data would have them. `size` is of one element.
std::string TypedData(const onnx::TensorProto& tensor, size_t size) {
  std::string data;
  AppendBits(data, tensor.float_data());
  AppendBits(data, tensor.double_data());
  AppendAll<int64_t>(data, tensor.int64_data());
  if (size == 8) {
    AppendAll<uint64_t>(data, tensor.uint64_data());
  } else {
    AppendAll<uint32_t>(data, tensor.uint64_data());  // UINT32 is stored in uint64_data.
  }
  // Types of up to 32 bits are stored in int32_data, one element per number.
  if (size == 4) {
    AppendAll<int32_t>(data, tensor.int32_data());
  } else if (size == 2) {
    AppendAll<int16_t>(data, tensor.int32_data());
  } else {
    AppendAll<int8_t>(data, tensor.int32_data());
  }
  return data;
}

// External data files of a model, each mapped once.
class DataFiles final {
 public:
  explicit DataFiles(std::string folder) : folder_(std::move(folder)) {}

  absl::StatusOr<std::string> Read(const onnx::TensorProto& tensor, size_t size_bytes) {
    std::string location;
    uint64_t offset = 0;
    uint64_t length = size_bytes;
    for (const onnx::StringStringEntryProto& entry : tensor.external_data()) {
      if (entry.key() == "location") {
        location = entry.value();
      } else if (entry.key() == "offset" || entry.key() == "length") {
        uint64_t& number = entry.key() == "offset" ? offset : length;
        const char* const end = entry.value().data() + entry.value().size();
        if (std::from_chars(entry.value().data(), end, number).ptr != end) {
          return InvalidArgument("initialiser '{}': {} of its external data is '{}', not a number",
                                 tensor.name(), entry.key(), entry.value());
        }
      }
    }
    ASSIGN_OR_RETURN(const std::span<const std::byte> bytes, Open(tensor.name(), location));
    if (length != size_bytes || offset > bytes.size() || length > bytes.size() - offset) {
      return InvalidArgument(
          "initialiser '{}': {} bytes at offset {} of external file '{}' ({} bytes), expected {} "
          "bytes within it",
          tensor.name(), length, offset, location, bytes.size(), size_bytes);
    }
    return std::string(om::AsText(bytes.subspan(offset, length)));
  }

 private:
  absl::StatusOr<std::span<const std::byte>> Open(const std::string& tensor,
                                                  const std::string& location) {
    const std::filesystem::path path(location);
    const bool outside = std::ranges::find(path, std::filesystem::path("..")) != path.end();
    if (location.empty() || path.is_absolute() || outside) {
      return InvalidArgument(
          "initialiser '{}': its external data is at '{}', expected a file below the model's "
          "folder",
          tensor, location);
    }
    auto file = files_.find(location);
    if (file == files_.end()) {
      absl::StatusOr<MappedFile> opened =
          MappedFile::Open((std::filesystem::path(folder_) / path).string());
      if (!opened.ok()) {
        return InvalidArgument("initialiser '{}': its external data cannot be read: {}", tensor,
                               MessageOf(opened.status()));
      }
      file = files_.emplace(location, *std::move(opened)).first;
    }
    return file->second.bytes();
  }

  std::string folder_;
  std::map<std::string, MappedFile> files_;
};

// The initialiser's bytes; nullopt when its type is not stored in whole bytes (strings, 4 bits).
absl::StatusOr<std::optional<std::string>> DataOf(const onnx::TensorProto& tensor,
                                                  DataFiles& files) {
  const size_t element_bytes = om::OnnxTypeSize(tensor.data_type());
  const bool external = tensor.data_location() == onnx::TensorProto::EXTERNAL;
  if (element_bytes == 0 && !external) {
    return std::optional<std::string>();
  }
  const Dims dims(tensor.dims().begin(), tensor.dims().end());
  const std::optional<int64_t> count = ElementCount(dims);
  size_t size_bytes = 0;
  if (element_bytes == 0 || !count.has_value() ||
      __builtin_mul_overflow(static_cast<size_t>(*count), element_bytes, &size_bytes)) {
    return InvalidArgument("initialiser '{}': no size follows from dims {} and element type {}",
                           tensor.name(), DimsToString(dims), tensor.data_type());
  }
  std::string data;
  if (external) {
    ASSIGN_OR_RETURN(data, files.Read(tensor, size_bytes));
  } else {
    data = tensor.has_raw_data() ? tensor.raw_data() : TypedData(tensor, element_bytes);
  }
  if (data.size() != size_bytes) {
    return InvalidArgument("initialiser '{}': {} bytes of data, but dims {} of {} need {}",
                           tensor.name(), data.size(), DimsToString(dims),
                           om::OnnxTypeName(tensor.data_type()), size_bytes);
  }
  return std::optional<std::string>(std::move(data));
}

void ClearData(onnx::TensorProto& tensor) {
  tensor.clear_raw_data();
  tensor.clear_float_data();
  tensor.clear_double_data();
  tensor.clear_int32_data();
  tensor.clear_int64_data();
  tensor.clear_uint64_data();
  tensor.clear_external_data();
  tensor.clear_data_location();
}

void AddExternalEntry(onnx::TensorProto& tensor, const char* key, const std::string& value) {
  onnx::StringStringEntryProto& entry = *tensor.add_external_data();
  entry.set_key(key);
  entry.set_value(value);
}

absl::Status MoveInitializer(onnx::TensorProto& tensor, DataFiles& files, std::string& weights) {
  ASSIGN_OR_RETURN(std::optional<std::string> data, DataOf(tensor, files));
  if (!data.has_value()) {
    return absl::OkStatus();
  }
  if (data->size() < kLeastMovedBytes) {
    if (tensor.data_location() == onnx::TensorProto::EXTERNAL) {
      // Its file stays behind, so small external data come into the graph.
      ClearData(tensor);
      tensor.set_raw_data(*std::move(data));
    }
    return absl::OkStatus();
  }
  ClearData(tensor);
  weights.resize((weights.size() + kWeightAlignment - 1) / kWeightAlignment * kWeightAlignment);
  AddExternalEntry(tensor, "location", om::kWeightsLocation);
  AddExternalEntry(tensor, "offset", std::to_string(weights.size()));
  AddExternalEntry(tensor, "length", std::to_string(data->size()));
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  weights += *data;
  return absl::OkStatus();
}

std::vector<std::string> OutputNames(const onnx::GraphProto& graph) {
  struct Producer {
    std::string node;
    int index;
  };
  std::map<std::string, Producer> producers;
  for (const onnx::NodeProto& node : graph.node()) {
    for (int i = 0; i < node.output_size(); ++i) {
      // Exporters may leave nodes without a name; the first output's name is unique in the graph.
      producers[node.output(i)] = {node.name().empty() ? node.output(0) : node.name(), i};
    }
  }
  std::vector<std::string> names;
  for (const onnx::ValueInfoProto& output : graph.output()) {
    const auto producer = producers.find(output.name());
    // An output that no node makes is an input or initialiser passed on.
    std::string node = producer == producers.end() ? output.name() : producer->second.node;
    std::ranges::replace(node, ':', '_');
    const int index = producer == producers.end() ? 0 : producer->second.index;
    names.push_back(fmt::format("{}:{}:{}", node, index, output.name()));
  }
  return names;
}

}  // namespace

absl::StatusOr<SplitOnnx> SplitWeights(std::span<const std::byte> model,
                                       const std::string& folder) {
  ASSIGN_OR_RETURN(onnx::ModelProto parsed, ParseOnnx(model));
  SplitOnnx split;
  DataFiles files(folder);
  for (onnx::TensorProto& tensor : *parsed.mutable_graph()->mutable_initializer()) {
    RETURN_IF_ERROR(MoveInitializer(tensor, files, split.weights));
  }
  split.output_names = OutputNames(parsed.graph());
  if (!parsed.SerializeToString(&split.graph)) {
    return InvalidArgument("the graph without its weights exceeds 2 GiB");
  }
  return split;
}

}  // namespace omserve::omc
