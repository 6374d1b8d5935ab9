// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/model_inout_info.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <limits>

#include "runtime/om/byte_reader.h"
#include "tests/runtime/om/om_samples.h"
#include "tests/status_test_util.h"

namespace omserve::om {
namespace {

ModelIo IoOf(const ModelDescription& model) {
  return ModelIo{.inputs = model.inputs,
                 .outputs = model.outputs,
                 .gear_kind = model.gear_kind,
                 .gears = model.gears};
}

std::string Section(int32_t type, const std::string& data) {
  std::string out;
  AppendNumber(out, type);
  AppendNumber(out, static_cast<uint32_t>(data.size()));
  return out + data;
}

std::string Words(const std::vector<uint32_t>& words) {
  std::string out;
  for (const uint32_t word : words) {
    AppendNumber(out, word);
  }
  return out;
}

// One tensor of the given name and dims in the file's form.
std::string Tensor(const std::string& name, const std::vector<int64_t>& dims) {
  std::string out;
  AppendNumber(out, uint64_t{4});
  AppendNumber(out, int32_t{2});
  AppendNumber(out, int32_t{3});
  out += Words({static_cast<uint32_t>(name.size()), static_cast<uint32_t>(dims.size() * 8), 0, 0});
  out += name;
  for (const int64_t dim : dims) {
    AppendNumber(out, dim);
  }
  return out;
}

// An input "x" [-1] and an output "y" [2], and whatever is appended.
std::string WithTensors(const std::string& more) {
  return Section(0, Words({1}) + Tensor("x", {-1})) + Section(1, Words({1}) + Tensor("y", {2})) +
         more;
}

std::string ErrorOf(const std::string& bytes) {
  const absl::StatusOr<ModelIo> io = ReadInoutInfo(AsBytes(bytes));
  REQUIRE_FALSE(io.ok());
  return std::string(MessageOf(io.status()));
}

// Any model's inputs, outputs and gears come back from the bytes they were written to.
TEST_CASE("inout info is read as it was written", "[inout_info]") {
  RandomModels models(1);
  for (int i = 0; i < 200; ++i) {
    CAPTURE(i);
    const ModelIo io = IoOf(models.Next());
    const std::string bytes = WriteInoutInfo(io);
    CHECK(VALUE(ReadInoutInfo(AsBytes(bytes))) == io);
  }
}

// The reserved gear input stands last in the bytes and is left out by the reader.
TEST_CASE("the gear input is in the bytes but not in the inputs", "[inout_info]") {
  const ModelIo io = IoOf(SmallBatchModel());
  const std::string bytes = WriteInoutInfo(io);
  CHECK_THAT(bytes, Catch::Contains(kGearTensorName));
  CHECK(VALUE(ReadInoutInfo(AsBytes(bytes))).inputs.size() == 2);
}

// A reader of today meets a type of tomorrow: skipped. Lists with no entries are as if absent.
TEST_CASE("unknown types and empty lists are skipped", "[inout_info]") {
  const std::string bytes = WithTensors(Section(99, "what") + Section(-3, "") +
                                        Section(2, Words({0})) + Section(6, Words({1, 1}) + "x"));
  const ModelIo io = VALUE(ReadInoutInfo(AsBytes(bytes)));
  CHECK(io.gear_kind == GearKind::kNone);
  CHECK(io.inputs.front().dims == std::vector<int64_t>{-1});
  CHECK(io.outputs.front().acl_data_type == 3);
}

// A tensor with dims before preprocessing and ranges, as the bytes have them: written and read.
TEST_CASE("raw dims and ranges are read", "[inout_info]") {
  std::string tensor = Tensor("x", {7, -1});
  const uint32_t raw = 24;
  const uint32_t ranges = 32;
  std::memcpy(tensor.data() + 24, &raw, sizeof(raw));
  std::memcpy(tensor.data() + 28, &ranges, sizeof(ranges));
  for (const int64_t number : {7, 9, 3, 7, 7, 1, -1}) {
    AppendNumber(tensor, number);
  }
  const std::string bytes = Section(0, Words({2}) + tensor + Tensor("z", {8})) +
                            Section(1, Words({1}) + Tensor("y", {2}));
  const ModelIo io = VALUE(ReadInoutInfo(AsBytes(bytes)));
  REQUIRE(io.inputs.size() == 2);
  CHECK(io.inputs[0].raw_dims == std::vector<int64_t>{7, 9, 3});
  CHECK(io.inputs[0].dim_ranges == std::vector<DimRange>{{7, 7}, {1, -1}});
  CHECK(io.inputs[1].name == "z");
  CHECK(io.inputs[1].dims == std::vector<int64_t>{8});
  CHECK(io.inputs[1].raw_dims.empty());
  CHECK(VALUE(ReadInoutInfo(AsBytes(WriteInoutInfo(io)))) == io);
}

// Dims gears whose values follow the command's order of the inputs come in the inputs' own.
TEST_CASE("gear values follow the inputs", "[inout_info]") {
  std::string gears = Words({1, 3});
  for (const int64_t value : {4, 5, 6}) {
    AppendNumber(gears, value);
  }
  const std::string inputs = Section(0, Words({2}) + Tensor("a", {-1, 8}) + Tensor("b", {-1, -1}));
  const std::string rest = Section(1, Words({1}) + Tensor("y", {2})) + Section(4, gears);
  const auto order = [](const std::string& names, uint32_t count) {
    return Section(
        6, Words(std::vector<uint32_t>(count + 1, 1)).replace(0, 4, Words({count})) + names);
  };
  const auto values = [&](const std::string& more) {
    return VALUE(ReadInoutInfo(AsBytes(inputs + rest + more))).gears[0].values;
  };
  CHECK(values("") == std::vector<int64_t>{4, 5, 6});
  CHECK(values(order("ab", 2)) == std::vector<int64_t>{4, 5, 6});
  CHECK(values(order("ba", 2)) == std::vector<int64_t>{6, 4, 5});
  CHECK(values(order("zba", 3)) == std::vector<int64_t>{6, 4, 5});
  CHECK_THAT(ErrorOf(inputs + rest + order("a", 1)), Catch::Contains("does not name input 'b'"));
}

// What is missing or said twice is named.
TEST_CASE("missing and repeated parts are refused", "[inout_info]") {
  CHECK_THAT(ErrorOf(""), Catch::Contains("no input descriptions"));
  CHECK_THAT(ErrorOf(Section(0, Words({0}))), Catch::Contains("no output descriptions"));
  CHECK_THAT(ErrorOf(WithTensors(Section(1, Words({0})))), Catch::Contains("second time"));
  std::string gear = Words({1});
  AppendNumber(gear, uint64_t{4});
  CHECK_THAT(ErrorOf(WithTensors(Section(2, gear) + Section(4, Words({1, 0})))),
             Catch::Contains("one kind"));
}

// Counts and lengths that the bytes do not bear are refused before anything is allocated for them.
TEST_CASE("absurd counts are refused", "[inout_info]") {
  const uint32_t most = std::numeric_limits<uint32_t>::max();
  CHECK_THAT(ErrorOf(Section(0, Words({most})) + Section(1, "")),
             Catch::Contains("input descriptions"));
  CHECK_THAT(ErrorOf(WithTensors(Section(2, Words({most})))), Catch::Contains("batch gears"));
  CHECK_THAT(ErrorOf(WithTensors(Section(3, Words({1, most})))), Catch::Contains("image gears"));
  CHECK_THAT(ErrorOf(WithTensors(Section(4, Words({most, 1})))), Catch::Contains("dims gears"));
  std::string gear = Words({1});
  AppendNumber(gear, uint64_t{4});
  const std::string batch = Section(2, gear);
  CHECK_THAT(ErrorOf(WithTensors(batch + Section(5, Words({most})))),
             Catch::Contains("output dims"));
  CHECK_THAT(ErrorOf(WithTensors(batch + Section(5, Words({1, most})))),
             Catch::Contains("output dims"));
  std::string tensor = Tensor("x", {7});
  for (const size_t length_at : {16U, 20U, 24U, 28U}) {
    CAPTURE(length_at);
    std::string bad = tensor;
    std::memcpy(bad.data() + length_at, &most, sizeof(most));
    CHECK_THAT(ErrorOf(Section(0, Words({1}) + bad) + Section(1, Words({0}))),
               Catch::Contains("input descriptions"));
  }
}

// A partition cut anywhere is refused or, at the border of a part, read without what is gone.
TEST_CASE("inout info cut at any byte never crashes", "[inout_info]") {
  const std::string good = WriteInoutInfo(IoOf(SmallBatchModel()));
  for (size_t length = 0; length < good.size(); ++length) {
    CAPTURE(length);
    const std::string cut = good.substr(0, length);
    const absl::StatusOr<ModelIo> io = ReadInoutInfo(AsBytes(cut));
    CHECK((!io.ok() || io->gears != SmallBatchModel().gears));
  }
}

}  // namespace
}  // namespace omserve::om
