// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/atc_command.h"

#include <catch2/catch.hpp>

namespace omserve::om {
namespace {

using Dims = std::vector<int64_t>;

// Both forms of an option, quotes of both kinds, and the last one wins as it does for atc.
TEST_CASE("options of a command are found", "[atc_command]") {
  const std::string command =
      "atc --model=./m.onnx --soc_version Ascend310 --input_shape=\"x:1,3; y:2\" "
      "--output='a b' --soc_version=Ascend310P3 --flag";
  CHECK(CommandOption(command, "soc_version") == "Ascend310P3");
  CHECK(CommandOption(command, "input_shape") == "x:1,3; y:2");
  CHECK(CommandOption(command, "output") == "a b");
  CHECK_FALSE(CommandOption(command, "soc").has_value());
  CHECK_FALSE(CommandOption(command, "flag").has_value());
  CHECK_FALSE(CommandOption("", "soc_version").has_value());
  CHECK(CommandOption("--a=\"open", "a") == "open");
}

// Names may hold a colon; a list with anything that is no number is none.
TEST_CASE("shapes of a command", "[atc_command]") {
  const auto shapes = CommandShapes("--input_shape=a:0:-1,3;b:2,-1");
  REQUIRE(shapes.size() == 2);
  CHECK(shapes[0].first == "a:0");
  CHECK(shapes[0].second == Dims{-1, 3});
  CHECK(shapes[1].second == Dims{2, -1});
  CHECK(CommandShapes("--input_shape=a:1~8,3").empty());
  CHECK(CommandShapes("--input_shape=a").empty());
  CHECK(CommandShapes("atc").empty());
}

// The three options that give gears, one of them at most.
TEST_CASE("gears of a command", "[atc_command]") {
  const auto values = [](const char* command, GearKind kind) {
    const CommandGears gears = ReadCommandGears(command);
    CHECK(gears.kind == kind);
    return gears.values;
  };
  CHECK(values("--dynamic_batch_size=1,4", GearKind::kBatch) == std::vector<Dims>{{1}, {4}});
  CHECK(values("--dynamic_image_size=\"8,8;16,32\"", GearKind::kImage) ==
        std::vector<Dims>{{8, 8}, {16, 32}});
  CHECK(values("--dynamic_dims=\"1;4;8;\"", GearKind::kDims) == std::vector<Dims>{{1}, {4}, {8}});
  CHECK(values("--dynamic_batch_size=1,x", GearKind::kNone).empty());
  CHECK(values("--dynamic_dims=;;", GearKind::kNone).empty());
  CHECK(values("--dynamic_dims=99999999999999999999", GearKind::kNone).empty());
  CHECK(values("atc", GearKind::kNone).empty());
}

}  // namespace
}  // namespace omserve::om
