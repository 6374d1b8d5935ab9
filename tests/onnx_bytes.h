// SPDX-License-Identifier: Apache-2.0
// ONNX models in protobuf's wire format, written by hand: proto/onnx leaves out what the server
// does not read.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace omserve::testing {

inline constexpr int64_t kOnnxFloat = 1;
inline constexpr int64_t kOnnxInt64 = 7;

// A message under construction; numbers are varints, everything else is length-delimited.
class Message final {
 public:
  Message& Number(uint32_t field, int64_t value) {
    Varint(uint64_t{field} << 3);
    Varint(static_cast<uint64_t>(value));
    return *this;
  }
  Message& Text(uint32_t field, std::string_view value) {
    Varint(uint64_t{field} << 3 | 2);
    Varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& Sub(uint32_t field, const Message& message) { return Text(field, message.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void Varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
      bytes_ += static_cast<char>(value | 0x80);
    }
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

template <typename T>
std::string RawBytes(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// A tensor of a graph; dims of -1 are open, each with a name of its own ("open0").
inline Message ValueInfo(std::string_view name, int64_t type, const std::vector<int64_t>& dims) {
  Message shape;
  for (size_t i = 0; i < dims.size(); ++i) {
    Message dim;
    if (dims[i] < 0) {
      dim.Text(2, fmt::format("open{}", i));
    } else {
      dim.Number(1, dims[i]);
    }
    shape.Sub(1, dim);
  }
  Message tensor;
  tensor.Number(1, type).Sub(2, shape);
  return Message().Text(1, name).Sub(2, Message().Sub(1, tensor));
}

inline Message Node(std::string_view name, std::string_view op,
                    const std::vector<std::string>& inputs, std::string_view output) {
  Message node;
  for (const std::string& input : inputs) {
    node.Text(1, input);
  }
  return node.Text(2, output).Text(3, name).Text(4, op);
}

// An initialiser of FP32 values that stand in the graph.
inline Message Floats(std::string_view name, const std::vector<int64_t>& dims,
                      const std::vector<float>& values) {
  Message tensor;
  for (const int64_t dim : dims) {
    tensor.Number(1, dim);
  }
  return tensor.Number(2, kOnnxFloat).Text(8, name).Text(9, RawBytes(values));
}

// The file of a graph: nodes in field 1, its name in 2, initialisers in 5, inputs in 11, outputs in
// 12.
inline std::string OnnxModel(const Message& graph) {
  return Message().Number(1, 8).Sub(7, graph).Sub(8, Message().Text(1, "").Number(2, 13)).bytes();
}

}  // namespace omserve::testing
