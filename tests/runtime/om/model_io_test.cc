// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/model_io.h"

#include <catch2/catch.hpp>
#include <limits>

#include "runtime/om/data_type.h"
#include "tests/status_test_util.h"

namespace omserve::om {
namespace {

using DimsList = std::vector<std::vector<int64_t>>;

ModelIo DimsModel() {
  ModelIo io;
  io.inputs = {{"a", 0, kAclFormatNd, {-1, 8}, 0}, {"b", 0, kAclFormatNd, {2, -1, -1}, 0}};
  io.outputs = {{"o", 0, kAclFormatNd, {4}, 0}};
  io.gear_kind = GearKind::kDims;
  io.gears = {{{1, 9, 9}, {{1}}}, {{5, 2, 3}, {{7}}}};
  return io;
}

std::string ErrorOf(const ModelIo& io) {
  const absl::Status status = CheckModelIo(io);
  REQUIRE_FALSE(status.ok());
  return std::string(MessageOf(status));
}

// A batch goes to every -1; h and w to the two of each image; dims one after the other.
TEST_CASE("values of a gear fill the open dims", "[model_io]") {
  const std::vector<IoDescription> inputs = {{"a", 0, kAclFormatNd, {-1, 8}, 0},
                                             {"b", 0, kAclFormatNd, {3}, 0},
                                             {"c", 0, kAclFormatNd, {-1}, 0}};
  CHECK(FillDims(inputs, GearKind::kBatch, std::vector<int64_t>{4}) == DimsList{{4, 8}, {3}, {4}});
  CHECK(FillDims(inputs, GearKind::kDims, std::vector<int64_t>{4, 5}) ==
        DimsList{{4, 8}, {3}, {5}});
  const std::vector<IoDescription> images = {{"a", 0, 0, {1, 3, -1, -1}, 0},
                                             {"b", 0, 0, {1, 3, -1, -1}, 0}};
  CHECK(FillDims(images, GearKind::kImage, std::vector<int64_t>{32, 48}) ==
        DimsList{{1, 3, 32, 48}, {1, 3, 32, 48}});
  CHECK(FillDims(inputs, GearKind::kNone, {}) == DimsList{{-1, 8}, {3}, {-1}});
}

// The largest gear is not the same for every tensor; each gets room for its own.
TEST_CASE("sizes hold every gear", "[model_io]") {
  ModelIo io = DimsModel();
  REQUIRE_OK(CheckModelIo(io));
  ResolveSizes(io);
  CHECK(io.inputs[0].size_bytes == 5 * 8 * 4);
  CHECK(io.inputs[1].size_bytes == 2 * 9 * 9 * 4);
  CHECK(io.outputs[0].size_bytes == 7 * 4);
  REQUIRE_OK(CheckHostSizes(io));
}

// Sizes that contradict the dims, or gears silent on outputs, are nothing for the host.
TEST_CASE("inconsistent sizes are refused for the host", "[model_io]") {
  ModelIo io = DimsModel();
  ResolveSizes(io);
  ModelIo bad = io;
  bad.inputs[0].size_bytes += 1;
  CHECK_THAT(std::string(MessageOf(CheckHostSizes(bad))), Catch::Contains("'a' says 161 bytes"));
  bad = io;
  bad.outputs[0].size_bytes = 0;
  CHECK_FALSE(CheckHostSizes(bad).ok());
  bad = io;
  bad.gears[0].values[0] = std::numeric_limits<int64_t>::max();
  bad.gears[1].values[0] = std::numeric_limits<int64_t>::max();
  CHECK_THAT(std::string(MessageOf(CheckHostSizes(bad))), Catch::Contains("no known size"));
  bad = io;
  bad.gears[0].output_dims.clear();
  bad.gears[1].output_dims.clear();
  bad.outputs[0].size_bytes = 16;
  CHECK_THAT(std::string(MessageOf(CheckHostSizes(bad))), Catch::Contains("dims of the outputs"));
}

// Each rule of names and dims is broken once.
TEST_CASE("tensors that break a rule are named", "[model_io]") {
  ModelIo io = DimsModel();
  io.outputs.clear();
  CHECK_THAT(ErrorOf(io), Catch::Contains("no outputs"));
  io = DimsModel();
  io.inputs[1].name = "a";
  CHECK_THAT(ErrorOf(io), Catch::Contains("'a' is there twice"));
  io = DimsModel();
  io.inputs[1].name = "\xff";
  CHECK_THAT(ErrorOf(io), Catch::Contains("input 1 has no name"));
  io = DimsModel();
  io.outputs[0].name.clear();
  CHECK_THAT(ErrorOf(io), Catch::Contains("output 0 has no name"));
  io = DimsModel();
  io.inputs[0].dims[1] = -2;
  CHECK_THAT(ErrorOf(io), Catch::Contains("[-1,-2]"));
  io = DimsModel();
  io.outputs[0].dims.assign(kMostDims + 1, 1);
  CHECK_THAT(ErrorOf(io), Catch::Contains("129 dims"));
  io = DimsModel();
  io.outputs.assign(kMostTensors + 1, io.outputs.front());
  CHECK_THAT(ErrorOf(io), Catch::Contains("at most 4096"));
}

// Each rule of gears is broken once.
TEST_CASE("gears that do not fit the inputs are refused", "[model_io]") {
  ModelIo io = DimsModel();
  io.gears[1].values.pop_back();
  CHECK_THAT(ErrorOf(io), Catch::Contains("gear 1 has 2 values, expected 3"));
  io = DimsModel();
  io.gears[1].values[0] = 0;
  CHECK_THAT(ErrorOf(io), Catch::Contains("at least 1"));
  io = DimsModel();
  io.gears[1].output_dims.clear();
  CHECK_THAT(ErrorOf(io), Catch::Contains("dims of 0 outputs"));
  io = DimsModel();
  io.gears[1].output_dims[0] = {-4};
  CHECK_THAT(ErrorOf(io), Catch::Contains("[-4]"));
  io = DimsModel();
  io.gears.clear();
  CHECK_THAT(ErrorOf(io), Catch::Contains("0 gears"));
  io = DimsModel();
  io.gears.assign(kMostGears + 1, io.gears.front());
  CHECK_THAT(ErrorOf(io), Catch::Contains("257 gears"));
  io = DimsModel();
  io.gear_kind = GearKind::kNone;
  CHECK_THAT(ErrorOf(io), Catch::Contains("no kind"));
  io = DimsModel();
  io.gear_kind = GearKind::kImage;
  CHECK_THAT(ErrorOf(io), Catch::Contains("two -1"));
  io = DimsModel();
  io.inputs[0].dims[0] = 3;
  io.inputs[1].dims = {3};
  CHECK_THAT(ErrorOf(io), Catch::Contains("no input has a -1"));
}

// The texts of the outputs' dims come back, in any order.
TEST_CASE("output dims survive their text form", "[model_io]") {
  std::vector<GearDescription> gears = DimsModel().gears;
  gears[0].output_dims = {{}, {1, 2}};
  gears[1].output_dims = {{3}, {4, 5, 6}};
  std::vector<std::string> texts = FormatOutputDims(gears);
  CHECK(texts == std::vector<std::string>{"0,0", "0,1,1,2", "1,0,3", "1,1,4,5,6"});
  std::swap(texts[0], texts[3]);
  std::vector<GearDescription> read = DimsModel().gears;
  REQUIRE_OK(ParseOutputDims(texts, 2, read));
  CHECK(read == gears);
}

// Malformed, repeated, missing and out-of-range texts are each refused.
TEST_CASE("wrong output dims are refused", "[model_io]") {
  for (const char* text : {"", "0", "x,0,1", "0,0,", "0,0,1,", "0,0,1 2", "-1,0,1", "0,0,-1",
                           "2,0,1", "0,1,1", "0,0,99999999999999999999", "1,0,1"}) {
    CAPTURE(text);
    std::vector<GearDescription> gears = DimsModel().gears;
    const std::vector<std::string> texts = {text, "1,0,1"};
    CHECK_FALSE(ParseOutputDims(texts, 1, gears).ok());
  }
  std::vector<GearDescription> gears = DimsModel().gears;
  CHECK_FALSE(ParseOutputDims(std::vector<std::string>{"0,0,1"}, 1, gears).ok());
  REQUIRE_OK(ParseOutputDims({}, 1, gears));
  CHECK(gears == DimsModel().gears);
}

}  // namespace
}  // namespace omserve::om
