// SPDX-License-Identifier: Apache-2.0
#include "server/core/request_check.h"

#include <catch2/catch.hpp>
#include <limits>

#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

// A tensor of any size without its memory: only sizes are looked at.
std::span<const std::byte> Bytes(size_t count) {
  static const std::vector<std::byte> bytes(4096);
  return std::span(bytes).first(count);
}

// Outputs are FP32.
scheduler::Bucket MakeBucket(std::vector<Dims> inputs, std::vector<Dims> outputs,
                             std::vector<int> rows) {
  scheduler::Bucket bucket{.input_dims = std::move(inputs), .output_dims = std::move(outputs)};
  for (const int r : rows) {
    bucket.gears.push_back({.rows = r});
  }
  for (const Dims& dims : bucket.output_dims) {
    bucket.output_row_bytes.push_back(*TensorBytes(DataType::kFp32, dims));
  }
  return bucket;
}

// Inputs a [rows,4] FP32 and b [rows,2] INT64, outputs y [rows,3] and z [rows,1]; 1 to 8 rows.
class BatchedModel {
 public:
  BatchedModel() {
    subgraph_.name = "m";
    subgraph_.shape.batched = true;
    subgraph_.shape.inputs = {{"a", DataType::kFp32, {4}}, {"b", DataType::kInt64, {2}}};
    subgraph_.shape.outputs = {{"y", DataType::kFp32, {3}}, {"z", DataType::kFp32, {1}}};
    subgraph_.shape.buckets = {MakeBucket({{4}, {2}}, {{3}, {1}}, {1, 8})};
    model.name = "m";
    model.plan = scheduler::BuildSingle(subgraph_);
    model.inputs = {{"a", DataType::kFp32, {-1, 4}}, {"b", DataType::kInt64, {-1, 2}}};
    model.outputs = {{"y", DataType::kFp32, {-1, 3}}, {"z", DataType::kFp32, {-1, 1}}};
    model.max_rows = 8;
  }
  const scheduler::Subgraph& subgraph() const { return subgraph_; }

  Model model;

 private:
  scheduler::Subgraph subgraph_;
};

InferInput A(int64_t rows) {
  return {.name = "a",
          .datatype = "FP32",
          .shape = {rows, 4},
          .pieces = {Bytes(static_cast<size_t>(rows) * 16)}};
}
InferInput B(int64_t rows) {
  return {.name = "b",
          .datatype = "INT64",
          .shape = {rows, 2},
          .pieces = {Bytes(static_cast<size_t>(rows) * 16)}};
}

void CheckRefused(const std::vector<InferInput>& inputs, const std::vector<std::string>& outputs,
                  const std::string& message) {
  const BatchedModel batched;
  const absl::Status status = CheckRequest(batched.model, inputs, outputs).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(MessageOf(status) == message);
}

// Inputs in another order than the model's, outputs asked for in an order of the client's own: both
// are matched by name.
TEST_CASE("CheckRequest: a request that fits", "[request_check]") {
  const BatchedModel batched;
  const std::vector<InferInput> inputs = {B(2), A(2)};
  const std::vector<std::string> outputs = {"z", "y"};
  const CheckedRequest checked = VALUE(CheckRequest(batched.model, inputs, outputs));
  CHECK(checked.rows == 2);
  CHECK(checked.inputs == std::vector<size_t>{1, 0});
  CHECK(checked.wanted == std::vector<int>{1, 0});
  CHECK(checked.buckets == std::vector<int>{0});
}

// No outputs named: all of them, in the model's order.
TEST_CASE("CheckRequest: no outputs asked for means all", "[request_check][1.3/all-outputs]") {
  const BatchedModel batched;
  CHECK(VALUE(CheckRequest(batched.model, std::vector{A(1), B(1)}, {})).wanted ==
        std::vector<int>{0, 1});
}

// A tensor in several pieces: their sizes add up.
TEST_CASE("CheckRequest: pieces are counted together", "[request_check]") {
  const BatchedModel batched;
  InferInput a = A(1);
  a.pieces = {Bytes(10), Bytes(0), Bytes(6)};
  REQUIRE_OK(CheckRequest(batched.model, std::vector{a, B(1)}, {}));
}

// Names the model does not have, or has once.
TEST_CASE("CheckRequest: names", "[request_check]") {
  InferInput c = A(1);
  c.name = "c";
  CheckRefused({A(1), c}, {}, "unexpected inference input 'c' for model 'm'; it has ['a','b']");
  CheckRefused({A(1), A(1)}, {}, "input 'a' is given more than once for model 'm'");
  CheckRefused({A(1)}, {},
               "expected 2 inputs but got 1 inputs for model 'm'. Got input(s) ['a'], but missing "
               "required input(s) ['b']. Please provide all required input(s).");
  CheckRefused({}, {},
               "expected 2 inputs but got 0 inputs for model 'm'. Got input(s) [], but missing "
               "required input(s) ['a','b']. Please provide all required input(s).");
  CheckRefused({A(1), B(1)}, {"x"},
               "unexpected inference output 'x' for model 'm'; it has ['y','z']");
  CheckRefused({A(1), B(1)}, {"y", "y"}, "output 'y' is requested more than once for model 'm'");
}

// An input that may be left out: zeros of as many rows as the others have run in its place.
TEST_CASE("CheckRequest: an optional input", "[request_check]") {
  BatchedModel batched;
  batched.model.optional = {false, true};
  const CheckedRequest checked = VALUE(CheckRequest(batched.model, std::vector{A(3)}, {}));
  CHECK(checked.rows == 3);
  CHECK(checked.inputs == std::vector<size_t>{0, kLeftOut});
  REQUIRE(checked.stand_ins.size() == 2);
  const InferInput& zeros = checked.stand_ins[1];
  CHECK(zeros.datatype == "INT64");
  CHECK(zeros.shape == Dims{3, 2});
  REQUIRE(zeros.size_bytes() == 48);
  std::vector<std::byte> written(48, std::byte{7});
  REQUIRE_OK(zeros.encode(zeros, written));
  CHECK(written == std::vector<std::byte>(48));
  // Given, it is an input like any other.
  CHECK(VALUE(CheckRequest(batched.model, std::vector{A(1), B(1)}, {})).stand_ins.empty());
  CHECK(CheckRequest(batched.model, std::vector{A(1), B(2)}, {}).status().code() ==
        absl::StatusCode::kInvalidArgument);
  // Only what is required is missed.
  CHECK(MessageOf(CheckRequest(batched.model, std::vector{B(1)}, {}).status()) ==
        "expected number of inputs between 1 and 2 but got 1 inputs for model 'm'. Got input(s) "
        "['b'], but missing required input(s) ['a']. Please provide all required input(s).");
}

// A request that leaves out all of them is one row.
TEST_CASE("CheckRequest: no input at all", "[request_check]") {
  BatchedModel batched;
  batched.model.optional = {true, true};
  const CheckedRequest checked = VALUE(CheckRequest(batched.model, {}, {}));
  CHECK(checked.rows == 1);
  CHECK(checked.stand_ins[0].shape == Dims{1, 4});
}

// An input of the plan that clients do not know of is always left out.
TEST_CASE("CheckRequest: an input of the plan alone", "[request_check]") {
  BatchedModel batched;
  batched.model.inputs.pop_back();
  const CheckedRequest checked = VALUE(CheckRequest(batched.model, std::vector{A(2)}, {}));
  CHECK(checked.stand_ins[1].shape == Dims{2, 2});
  CHECK(MessageOf(CheckRequest(batched.model, std::vector{A(2), B(2)}, {}).status()) ==
        "unexpected inference input 'b' for model 'm'; it has ['a']");
}

// Types: another one of the protocol's, and no type at all.
TEST_CASE("CheckRequest: data types", "[request_check][1.15/text-datatype]") {
  InferInput a = A(1);
  a.datatype = "FP16";
  CheckRefused({a, B(1)}, {},
               "inference input 'a' data-type is 'FP16', but model 'm' expects 'FP32'");
  a.datatype = "float";
  CheckRefused({a, B(1)}, {},
               "inference input 'a' data-type is 'float', but model 'm' expects 'FP32'");
}

// Shapes: another size, another rank, a batch dimension that was forgotten, a negative size.
TEST_CASE("CheckRequest: shapes", "[request_check][1.15/text-shape]") {
  InferInput a = A(1);
  a.shape = {1, 5};
  CheckRefused({a, B(1)}, {},
               "unexpected shape for input 'a' for model 'm'. Expected [-1,4], got [1,5]");
  a.shape = {1, 4, 1};
  CheckRefused({a, B(1)}, {},
               "unexpected shape for input 'a' for model 'm'. Expected [-1,4], got [1,4,1]");
  a.shape = {4};
  CheckRefused({a, B(1)}, {},
               "unexpected shape for input 'a' for model 'm'. Expected [-1,4], got [4]; the batch "
               "dimension comes first: [1,4]");
  a.shape = {-1, 4};
  CheckRefused({a, B(1)}, {},
               "unexpected shape for input 'a' for model 'm'. Expected [-1,4], got [-1,4]");
  a.shape = {};
  CheckRefused({a, B(1)}, {},
               "unexpected shape for input 'a' for model 'm'. Expected [-1,4], got []");
}

// Batches: none, too large, and two that differ.
TEST_CASE("CheckRequest: batch sizes",
          "[request_check][1.15/text-batch-size][1.15/text-batch-mismatch]") {
  CheckRefused({A(0), B(0)}, {}, "input 'a': inference request batch-size must be >= 1 for 'm'");
  CheckRefused({A(9), B(9)}, {}, "inference request batch-size must be <= 8 for 'm', got 9");
  CheckRefused({A(2), B(3)}, {},
               "input 'b' batch size does not match other inputs for 'm': got 3, 'a' has 2");
}

// A batch beyond the gears of a subgraph is answered with those that there are.
TEST_CASE("CheckRequest: a batch that was not compiled", "[request_check]") {
  BatchedModel batched;
  batched.model.subgraph = &batched.subgraph();
  const absl::Status status = CheckRequest(batched.model, std::vector{A(9), B(9)}, {}).status();
  CHECK(MessageOf(status) ==
        "inference request batch-size must be <= 8 for 'm', got 9; compiled are [4][2] x 1,8");
}

// A model of one size says that there is no other.
TEST_CASE("CheckRequest: a model of one size", "[request_check]") {
  scheduler::Subgraph subgraph{.name = "one"};
  subgraph.shape.inputs = {{"x", DataType::kFp32, {1, 4}}};
  subgraph.shape.outputs = {{"y", DataType::kFp32, {1}}};
  subgraph.shape.buckets = {MakeBucket({{1, 4}}, {{1}}, {1})};
  Model model{.name = "one", .plan = scheduler::BuildSingle(subgraph)};
  model.inputs = subgraph.shape.inputs;
  model.outputs = subgraph.shape.outputs;
  model.subgraph = &subgraph;
  const InferInput x{.name = "x", .datatype = "FP32", .shape = {2, 4}, .pieces = {Bytes(32)}};
  CHECK(
      MessageOf(CheckRequest(model, std::vector{x}, {}).status()) ==
      "unexpected shape for input 'x' for model 'one'. Expected [1,4], got [2,4]; it was compiled "
      "for these dims alone and has no other gears");
}

// Bytes: one too few, one too many, none at all, and none beside a batch that would overflow.
TEST_CASE("CheckRequest: byte sizes", "[request_check]") {
  InferInput a = A(1);
  for (const size_t size : {size_t{15}, size_t{17}, size_t{0}}) {
    a.pieces = {Bytes(size)};
    CheckRefused({a, B(1)}, {},
                 "input byte size mismatch for input 'a' for model 'm'. Expected 16 for FP32 "
                 "[1,4], got " +
                     std::to_string(size));
  }
  a.shape = {std::numeric_limits<int64_t>::max(), 4};
  CheckRefused({a, B(1)}, {},
               "inference request batch-size must be <= 8 for 'm', got 9223372036854775807");
}

// A model of free dims that does not batch, and a shape whose bytes exceed any integer.
TEST_CASE("CheckRequest: a tensor beyond all sizes", "[request_check][1.3/shape-overflow]") {
  scheduler::Subgraph subgraph{.name = "free"};
  subgraph.shape.inputs = {{"x", DataType::kFp32, {-1, -1}}};
  subgraph.shape.outputs = {{"y", DataType::kFp32, {1}}};
  subgraph.shape.buckets = {MakeBucket({{1, 1}}, {{1}}, {1})};
  Model model{.name = "free", .plan = scheduler::BuildSingle(subgraph)};
  model.inputs = subgraph.shape.inputs;
  model.outputs = subgraph.shape.outputs;
  InferInput x{.name = "x", .datatype = "FP32", .shape = {int64_t{1} << 40, int64_t{1} << 40}};
  absl::Status status = CheckRequest(model, std::vector{x}, {}).status();
  CHECK(MessageOf(status) ==
        "input 'x' for model 'free': a tensor of shape [1099511627776,1099511627776] is too large");
  // Dims that nobody compiled are named with those that were.
  x.shape = {1, 2};
  x.pieces = {Bytes(8)};
  status = CheckRequest(model, std::vector{x}, {}).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(MessageOf(status).find("rows of dims [1,2] were not compiled") != std::string::npos);
}

// A hostile request: its names and shapes do not make the message long.
TEST_CASE("CheckRequest: messages stay short", "[request_check]") {
  const BatchedModel batched;
  InferInput a = A(1);
  a.shape = Dims(100000, 1);
  CHECK(MessageOf(CheckRequest(batched.model, std::vector{a, B(1)}, {}).status()).size() < 400);
  a.name = std::string(100000, 'x');
  CHECK(MessageOf(CheckRequest(batched.model, std::vector{a, B(1)}, {}).status()).size() < 400);
}

}  // namespace
}  // namespace omserve::server
