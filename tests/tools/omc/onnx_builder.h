// SPDX-License-Identifier: Apache-2.0
// Small ONNX models, written field by field: ONNX's own library is no dependency of ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/om/byte_reader.h"

namespace omserve::omc {

// Types of elements, by ONNX's numbers.
inline constexpr int kOnnxFloat = 1;
inline constexpr int kOnnxInt64 = 7;
inline constexpr int kOnnxString = 8;
inline constexpr int kOnnxFloat8 = 17;

// A dim is a size, or a name, or (size -1 and no name) open.
struct OnnxDim {
  int64_t size = -1;
  std::string name;
};

class ProtoWriter final {
 public:
  ProtoWriter& Number(uint32_t field, uint64_t value) {
    Varint(field << 3U);
    Varint(value);
    return *this;
  }
  ProtoWriter& Bytes(uint32_t field, std::string_view bytes) {
    Varint((field << 3U) | 2U);
    Varint(bytes.size());
    bytes_ += bytes;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void Varint(uint64_t value) {
    while (value >= 0x80) {
      bytes_ += static_cast<char>(value | 0x80U);
      value >>= 7U;
    }
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

// The bytes of `values` as raw_data has them.
inline std::string FloatBytes(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

class OnnxBuilder final {
 public:
  OnnxBuilder& Input(const std::string& name, int type, const std::vector<OnnxDim>& dims) {
    graph_.Bytes(11, ValueInfo(name, type, dims));
    return *this;
  }
  OnnxBuilder& Output(const std::string& name, int type, const std::vector<OnnxDim>& dims) {
    graph_.Bytes(12, ValueInfo(name, type, dims));
    return *this;
  }
  OnnxBuilder& Node(const std::string& name, const std::string& type,
                    const std::vector<std::string>& inputs,
                    const std::vector<std::string>& outputs) {
    ProtoWriter node;
    for (const std::string& input : inputs) {
      node.Bytes(1, input);
    }
    for (const std::string& output : outputs) {
      node.Bytes(2, output);
    }
    graph_.Bytes(1, node.Bytes(3, name).Bytes(4, type).bytes());
    return *this;
  }
  // `data_field` holds the data: 9 raw, 4 floats, 7 int64 (packed).
  OnnxBuilder& Initializer(const std::string& name, int type, const std::vector<int64_t>& dims,
                           std::string_view data, uint32_t data_field = 9) {
    graph_.Bytes(5, TensorHead(name, type, dims).Bytes(data_field, data).bytes());
    return *this;
  }
  OnnxBuilder& ExternalInitializer(
      const std::string& name, int type, const std::vector<int64_t>& dims,
      const std::vector<std::pair<std::string, std::string>>& external_data) {
    ProtoWriter tensor = TensorHead(name, type, dims);
    for (const auto& [key, value] : external_data) {
      tensor.Bytes(13, ProtoWriter().Bytes(1, key).Bytes(2, value).bytes());
    }
    graph_.Bytes(5, tensor.Number(14, 1).bytes());
    return *this;
  }

  // ir_version 9, opset 19: the first with 8-bit floats.
  std::string Build() const {
    ProtoWriter graph = graph_;
    graph.Bytes(2, "test");
    return ProtoWriter()
        .Number(1, 9)
        .Bytes(2, "omserve tests")
        .Bytes(7, graph.bytes())
        .Bytes(8, ProtoWriter().Bytes(1, "").Number(2, 19).bytes())
        .bytes();
  }

 private:
  static std::string ValueInfo(const std::string& name, int type,
                               const std::vector<OnnxDim>& dims) {
    ProtoWriter shape;
    for (const OnnxDim& dim : dims) {
      ProtoWriter one;
      if (!dim.name.empty()) {
        one.Bytes(2, dim.name);
      } else if (dim.size >= 0) {
        one.Number(1, static_cast<uint64_t>(dim.size));
      }
      shape.Bytes(1, one.bytes());
    }
    const ProtoWriter tensor =
        ProtoWriter().Number(1, static_cast<uint64_t>(type)).Bytes(2, shape.bytes());
    return ProtoWriter()
        .Bytes(1, name)
        .Bytes(2, ProtoWriter().Bytes(1, tensor.bytes()).bytes())
        .bytes();
  }

  static ProtoWriter TensorHead(const std::string& name, int type,
                                const std::vector<int64_t>& dims) {
    ProtoWriter tensor;
    for (const int64_t dim : dims) {
      tensor.Number(1, static_cast<uint64_t>(dim));
    }
    return tensor.Number(2, static_cast<uint64_t>(type)).Bytes(8, name);
  }

  ProtoWriter graph_;
};

// y [N,128] = x [N,3] * w [3,128] + b [128]; w has 1536 bytes and moves, b has 512 and stays.
inline std::string LinearModel() {
  std::vector<float> w(3 * 128);
  for (size_t i = 0; i < w.size(); ++i) {
    w[i] = static_cast<float>(i);
  }
  return OnnxBuilder()
      .Input("x", kOnnxFloat, {{-1, "N"}, {3, ""}})
      .Output("y", kOnnxFloat, {{-1, "N"}, {128, ""}})
      .Node("layer:0", "MatMul", {"x", "w"}, {"xw"})
      .Node("", "Add", {"xw", "b"}, {"y"})
      .Initializer("w", kOnnxFloat, {3, 128}, FloatBytes(w))
      .Initializer("b", kOnnxFloat, {128}, FloatBytes(std::vector<float>(128, 0.5F)))
      .Build();
}

}  // namespace omserve::omc
