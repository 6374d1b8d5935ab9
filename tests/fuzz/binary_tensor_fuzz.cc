// SPDX-License-Identifier: Apache-2.0
// Inferences whose tensors are sent as bytes behind the JSON, and elements of BYTES tensors, on any
// bytes: nothing outside of the body is ever read, and what is taken apart is all of it.
//
// The first two bytes are the length of the JSON.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/check.h"
#include "server/http/infer_json.h"
#include "tests/server/http/test_model.h"

namespace omserve::server {
namespace {

ModelHandle TwoInputs() {
  static const ModelHandle model =
      TestModel({{"a", DataType::kInt8, {-1}}, {"b", DataType::kBytes, {-1}}}, {});
  return model;
}

ModelHandle OneInput(DataType type) { return TestModel({{"a", type, {-1, -1}}}, {}); }

void TryElements(std::span<const std::byte> encoded) {
  BytesTensorReader reader(encoded);
  int64_t count = 0;
  size_t size_bytes = 0;
  while (!reader.AtEnd()) {
    const absl::StatusOr<std::string_view> element = reader.Next();
    if (!element.ok()) {
      OMSERVE_CHECK(!CheckBytesTensor(encoded, count).ok(), "bytes that are left over are wrong");
      return;
    }
    ++count;
    size_bytes += EncodedBytesSize(*element);
  }
  OMSERVE_CHECK(size_bytes == encoded.size(), "elements are all there is");
  OMSERVE_CHECK(CheckBytesTensor(encoded, count).ok(), "so many elements are right");
  OMSERVE_CHECK(!CheckBytesTensor(encoded, count + 1).ok(), "and one more is not");
}

bool IsWithin(std::span<const std::byte> part, std::string_view body) {
  const std::span<const std::byte> all = std::as_bytes(std::span(body.data(), body.size()));
  return part.empty() ||
         (part.data() >= all.data() && part.data() + part.size() <= all.data() + all.size());
}

void Try(std::string_view body, size_t header_bytes, const ModelHandle& model) {
  const absl::StatusOr<RestCall> rest = ParseInferBody(body, header_bytes, model);
  if (!rest.ok()) {
    OMSERVE_CHECK(rest.status().code() == absl::StatusCode::kInvalidArgument ||
                      rest.status().code() == absl::StatusCode::kUnimplemented,
                  "a damaged request is the client's fault");
    return;
  }
  OMSERVE_CHECK(header_bytes <= body.size(), "the JSON is part of the body");
  for (const InferInput& input : rest->call.inputs) {
    if (input.encode) {
      continue;
    }
    size_t total = 0;
    for (const std::span<const std::byte> piece : input.pieces) {
      total += piece.size();
      if (rest->encoded.empty()) {
        OMSERVE_CHECK(IsWithin(piece, body), "tensors are in the body");
      }
      if (input.datatype == "BYTES") {
        TryElements(piece);
      }
    }
    OMSERVE_CHECK(total == input.size_bytes(), "a tensor has the size that it says");
  }
}

}  // namespace
}  // namespace omserve::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) {
    return 0;
  }
  const size_t header_bytes = static_cast<size_t>(data[0]) * 256 + data[1];
  // A copy of its own, so that a read past its end is one past an allocation.
  const std::string body(data + 2, data + size);
  omserve::server::Try(body, header_bytes, omserve::server::TwoInputs());
  omserve::server::Try(body, 0, omserve::server::OneInput(omserve::DataType::kFp32));
  omserve::server::Try(body, 0, omserve::server::OneInput(omserve::DataType::kBytes));
  omserve::server::TryElements(std::as_bytes(std::span(body.data(), body.size())));
  return 0;
}
