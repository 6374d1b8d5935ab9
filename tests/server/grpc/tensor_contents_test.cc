// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/tensor_contents.h"

#include <catch2/catch.hpp>
#include <cstring>

#include "proto/inference/grpc_service.pb.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using inference::InferTensorContents;
using Tensor = inference::ModelInferRequest::InferInputTensor;

template <typename Set>
Tensor Typed(const std::string& datatype, const Set& set) {
  Tensor tensor;
  tensor.set_name("x");
  tensor.set_datatype(datatype);
  set(*tensor.mutable_contents());
  return tensor;
}

template <typename T>
std::string Encoded(std::vector<T> values) {
  return {static_cast<const char*>(static_cast<const void*>(values.data())),
          values.size() * sizeof(T)};
}

// The contents of `tensor` as they are found on the wire, in the raw encoding.
absl::StatusOr<std::string> EncodeContents(const Tensor& tensor, const std::string& model) {
  const std::string bytes = tensor.contents().SerializeAsString();
  const WirePieces pieces = {std::as_bytes(std::span(bytes))};
  WireReader reader(pieces);
  TypedContents contents;
  REQUIRE(contents.AddPart(reader, bytes.size(), 1));
  const ContentsOwner owner{tensor.name(), tensor.datatype(), model};
  const absl::StatusOr<size_t> size = contents.EncodedBytes(owner);
  if (!size.ok()) {
    return size.status();
  }
  std::string encoded(*size, '\0');
  const absl::Status written =
      contents.Encode(pieces, owner, std::as_writable_bytes(std::span(encoded)));
  return written.ok() ? absl::StatusOr<std::string>(encoded) : written;
}

void CheckRefused(const Tensor& tensor, const std::string& message) {
  const absl::Status status = EncodeContents(tensor, "m").status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(MessageOf(status) == message);
}

// Every type that has typed contents: its elements, as wide as the type.
TEST_CASE("TypedContents: every type",
          "[tensor_contents][1.4/typed-BOOL][1.4/typed-INT][1.4/typed-INT64][1.4/typed-UINT]"
          "[1.4/typed-UINT64][1.4/typed-FP32][1.4/typed-FP64]") {
  using C = InferTensorContents;
  const auto ints = [](C& c) {
    c.add_int_contents(-3);
    c.add_int_contents(100);
  };
  CHECK(VALUE(EncodeContents(Typed("INT8", ints), "m")) == Encoded<int8_t>({-3, 100}));
  CHECK(VALUE(EncodeContents(Typed("INT16", ints), "m")) == Encoded<int16_t>({-3, 100}));
  CHECK(VALUE(EncodeContents(Typed("INT32", ints), "m")) == Encoded<int32_t>({-3, 100}));
  const auto uints = [](C& c) { c.add_uint_contents(200); };
  CHECK(VALUE(EncodeContents(Typed("UINT8", uints), "m")) == Encoded<uint8_t>({200}));
  CHECK(VALUE(EncodeContents(Typed("UINT16", uints), "m")) == Encoded<uint16_t>({200}));
  CHECK(VALUE(EncodeContents(Typed("UINT32", uints), "m")) == Encoded<uint32_t>({200}));
  CHECK(VALUE(EncodeContents(Typed("INT64", [](C& c) { c.add_int64_contents(-5); }), "m")) ==
        Encoded<int64_t>({-5}));
  CHECK(VALUE(EncodeContents(Typed("UINT64", [](C& c) { c.add_uint64_contents(5); }), "m")) ==
        Encoded<uint64_t>({5}));
  CHECK(VALUE(EncodeContents(Typed("FP32", [](C& c) { c.add_fp32_contents(0.1F); }), "m")) ==
        Encoded<float>({0.1F}));
  CHECK(VALUE(EncodeContents(Typed("FP64", [](C& c) { c.add_fp64_contents(0.1); }), "m")) ==
        Encoded<double>({0.1}));
  CHECK(VALUE(EncodeContents(Typed("BOOL",
                                   [](C& c) {
                                     c.add_bool_contents(true);
                                     c.add_bool_contents(false);
                                   }),
                             "m")) == std::string("\x01\x00", 2));
}

// BYTES elements have no prefix in the message and get one here.
TEST_CASE("TypedContents: BYTES get their lengths",
          "[tensor_contents][1.4/typed-BYTES][1.4/BYTES]") {
  const Tensor tensor = Typed("BYTES", [](InferTensorContents& c) {
    c.add_bytes_contents("ab");
    c.add_bytes_contents("");
  });
  CHECK(VALUE(EncodeContents(tensor, "m")) == std::string("\x02\x00\x00\x00"
                                                          "ab\x00\x00\x00\x00",
                                                          10));
}

// The wrong field, also beside the right one.
TEST_CASE("TypedContents: contents of another type", "[tensor_contents][1.4/typed-wrong-field]") {
  CheckRefused(Typed("FP32", [](InferTensorContents& c) { c.add_fp64_contents(1); }),
               "unexpected explicit tensor data for input tensor 'x' for model 'm' of type 'FP32': "
               "got fp64_contents, expected fp32_contents");
  CheckRefused(Typed("INT8",
                     [](InferTensorContents& c) {
                       c.add_int_contents(1);
                       c.add_bytes_contents("a");
                     }),
               "unexpected explicit tensor data for input tensor 'x' for model 'm' of type 'INT8': "
               "got bytes_contents, expected int_contents");
}

// A number that the type cannot hold is refused and not cut.
TEST_CASE("TypedContents: values out of range", "[tensor_contents]") {
  CheckRefused(Typed("INT8",
                     [](InferTensorContents& c) {
                       c.add_int_contents(127);
                       c.add_int_contents(128);
                     }),
               "input 'x' for model 'm': element 1 of int_contents does not fit INT8");
  CheckRefused(Typed("UINT16", [](InferTensorContents& c) { c.add_uint_contents(65536); }),
               "input 'x' for model 'm': element 0 of uint_contents does not fit UINT16");
}

// Types without typed contents, and no type at all.
TEST_CASE("TypedContents: types that cannot come this way",
          "[tensor_contents][1.4/typed-half-floats]") {
  const auto floats = [](InferTensorContents& c) { c.add_fp32_contents(1); };
  for (const char* type : {"FP16", "BF16"}) {
    CheckRefused(Typed(type, floats), "input 'x' for model 'm': data of type " + std::string(type) +
                                          " can only be sent in raw_input_contents");
  }
  CheckRefused(Typed("float", floats),
               "input 'x' for model 'm': 'float' is no data type of the protocol");
}

}  // namespace
}  // namespace omserve::server
