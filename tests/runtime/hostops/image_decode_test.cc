// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/image_decode.h"

#include <catch2/catch.hpp>
#include <string>

#include "runtime/base/file.h"
#include "tests/runtime/hostops/host_op_test_util.h"
#include "tests/runtime/hostops/picture_test_util.h"

namespace omserve::hostops {
namespace {

using Catch::Matchers::Contains;

const ParameterMap kSmall = {{"width", "4"}, {"height", "2"}};

ParameterMap With(ParameterMap parameters, const ParameterMap& more) {
  for (const auto& entry : more) {
    parameters[entry.first] = entry.second;
  }
  return parameters;
}

std::unique_ptr<HostOp> Make(const ParameterMap& parameters) {
  return VALUE(TryMake("image_decode", parameters));
}

// A PNG of one colour.
std::string Plain(int width, int height, uint8_t red, uint8_t green, uint8_t blue) {
  std::vector<uint8_t> rows;
  for (int i = 0; i < width * height; ++i) {
    rows.insert(rows.end(), {red, green, blue});
  }
  return EncodePng({.width = width, .height = height, .rows = rows});
}

// Each of the 32 sample pictures becomes the tensor its model was trained on, in one call.
TEST_CASE("Every sample picture is decoded and normalised") {
  const auto op = Make({{"width", "48"}, {"height", "48"}, {"mean", "0.35"}, {"std", "0.25"}});
  std::vector<std::string> pictures;
  for (int i = 0; i < 32; ++i) {
    const std::string name = (i < 10 ? "0" : "") + std::to_string(i) + ".png";
    pictures.push_back(VALUE(ReadFile(std::string(kScenes) + "/samples/" + name)));
  }
  const Call call = RunTexts(*op, pictures);
  REQUIRE_OK(call.status);
  const std::vector<float> values = call.Values<float>(0);
  constexpr size_t kPlane = 48 * 48;
  REQUIRE(values.size() == pictures.size() * 3 * kPlane);
  double largest = 0;
  for (size_t n = 0; n < pictures.size(); ++n) {
    const std::vector<uint8_t> pixels = ReferencePixels(pictures[n]);
    for (size_t c = 0; c < 3; ++c) {
      for (size_t i = 0; i < kPlane; ++i) {
        const double expected = (pixels[i * 3 + c] / 255.0 - 0.35) / 0.25;
        largest = std::max(largest, std::abs(values[(n * 3 + c) * kPlane + i] - expected));
      }
    }
  }
  CHECK(largest < 1e-6);
}

// The op says what it takes and gives, under the names it was told.
TEST_CASE("Image decode declares its tensors") {
  const auto plain = Make(kSmall);
  CHECK(plain->inputs() == std::vector<TensorSpec>{{"bytes", DataType::kBytes, {1}}});
  CHECK(plain->outputs() == std::vector<TensorSpec>{{"image", DataType::kFp32, {3, 2, 4}}});
  CHECK(plain->MaxOutputBytes(0, 5) == 5U * 3 * 2 * 4 * 4);
  const auto named =
      Make(With(kSmall, {{"channels", "1"}, {"input", "photo"}, {"output", "pixels"}}));
  CHECK(named->inputs()[0].name == "photo");
  CHECK(named->outputs() == std::vector<TensorSpec>{{"pixels", DataType::kFp32, {1, 2, 4}}});
}

// Without parameters a value is the pixel over 255; scale, mean and std apply per channel.
TEST_CASE("Values are scaled and normalised per channel") {
  const std::string picture = Plain(1, 1, 255, 51, 0);
  const ParameterMap one = {{"width", "1"}, {"height", "1"}};
  const std::vector<float> plain = RunTexts(*Make(one), {picture}).Values<float>(0);
  CHECK_THAT(plain, Catch::Matchers::Approx(std::vector<float>{1, 0.2F, 0}));
  const auto op = Make(With(one, {{"scale", "1"}, {"mean", "5, 1 ,0"}, {"std", "10,2,1"}}));
  CHECK(RunTexts(*op, {picture}).Values<float>(0) == std::vector<float>{25, 25, 0});
}

// Gray output weighs the colours as BT.601 does, and gray input stays as it is.
TEST_CASE("One channel is luma") {
  const auto op = Make({{"width", "1"}, {"height", "1"}, {"channels", "1"}, {"scale", "1"}});
  const std::vector<float> values =
      RunTexts(*op, {Plain(1, 1, 255, 0, 0), Plain(1, 1, 0, 255, 0), Plain(1, 1, 9, 9, 9)})
          .Values<float>(0);
  REQUIRE(values.size() == 3);
  CHECK(values[0] == Approx(76.245));
  CHECK(values[1] == Approx(149.685));
  CHECK(values[2] == Approx(9));
}

// A picture twice as large as wanted is averaged; nearest takes one pixel of each four.
TEST_CASE("Pictures are resized to the declared size") {
  const std::string picture =
      EncodePng({.width = 2, .height = 2, .color_type = 0, .rows = {0, 100, 200, 40}});
  const ParameterMap one = {{"width", "1"}, {"height", "1"}, {"channels", "1"}, {"scale", "1"}};
  CHECK(RunTexts(*Make(one), {picture}).Values<float>(0).at(0) == Approx(85));
  const auto nearest = Make(With(one, {{"resize", "nearest"}}));
  CHECK(RunTexts(*nearest, {picture}).Values<float>(0).at(0) == Approx(40));
}

// A wide picture keeps its aspect; above and below it lies the padding, normalised like pixels.
TEST_CASE("Letterbox keeps the aspect") {
  const auto op = Make({{"width", "4"},
                        {"height", "4"},
                        {"channels", "1"},
                        {"scale", "1"},
                        {"resize", "letterbox"},
                        {"pad_value", "114"},
                        {"mean", "14"}});
  const std::vector<float> values = RunTexts(*op, {Plain(8, 4, 50, 50, 50)}).Values<float>(0);
  REQUIRE(values.size() == 16);
  for (size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i);
    CHECK(values[i] == Approx(i / 4 == 1 || i / 4 == 2 ? 36 : 100));
  }
}

// Even a line of pixels keeps at least one pixel of its short side.
TEST_CASE("Letterbox takes extreme aspects") {
  const auto op = Make({{"width", "4"}, {"height", "4"}, {"resize", "letterbox"}});
  REQUIRE_OK(RunTexts(*op, {Plain(500, 1, 1, 2, 3), Plain(1, 500, 1, 2, 3)}).status);
}

// Pictures of other sizes are refused where resizing is off, with both sizes.
TEST_CASE("Without resizing the size must fit") {
  const auto op = Make(With(kSmall, {{"resize", "none"}}));
  REQUIRE_OK(RunTexts(*op, {Plain(4, 2, 1, 2, 3)}).status);
  CHECK_THAT(ErrorOf(RunTexts(*op, {Plain(2, 4, 1, 2, 3)}).status),
             Contains("2 wide and 4 high, expected 4 and 2") && Contains("'none'"));
}

// The error says which row it was, and rows before it do not matter.
TEST_CASE("A bad picture is named by its row") {
  const auto op = Make(kSmall);
  const std::string good = Plain(4, 2, 1, 2, 3);
  CHECK_THAT(ErrorOf(RunTexts(*op, {good, "nonsense", good}).status),
             Contains("input 'bytes' row 1: 8 bytes starting with 6e 6f 6e 73"));
  CHECK_THAT(ErrorOf(RunTexts(*op, {good.substr(0, 40)}).status),
             Contains("row 0: PNG: the file ends early"));
}

// The limit of pixels is the op's parameter.
TEST_CASE("Pictures over max_pixels are refused") {
  const auto op = Make(With(kSmall, {{"max_pixels", "100"}}));
  REQUIRE_OK(RunTexts(*op, {Plain(10, 10, 1, 2, 3)}).status);
  CHECK_THAT(ErrorOf(RunTexts(*op, {Plain(101, 1, 1, 2, 3)}).status),
             Contains("101 pixels, expected at most 100"));
}

// Each parameter that cannot be meant is refused, with its name, its value and what was expected.
TEST_CASE("Wrong parameters of image decode are refused") {
  const auto error = [](const ParameterMap& more) {
    return MakeError("image_decode", With(kSmall, more));
  };
  CHECK_THAT(MakeError("image_decode", {{"height", "2"}}),
             Contains("'width' is missing, expected a whole number from 1 to 16384"));
  CHECK_THAT(error({{"width", "0"}}), Contains("'width' is '0'"));
  CHECK_THAT(error({{"height", "16385"}}), Contains("'height' is '16385'"));
  CHECK_THAT(error({{"channels", "2"}}), Contains("expected 1 or 3"));
  CHECK_THAT(error({{"mean", "1,2"}}), Contains("1 or 3 numbers"));
  CHECK_THAT(error({{"mean", "nan"}}), Contains("'mean' is 'nan'"));
  CHECK_THAT(error({{"mean", ""}}), Contains("'mean' is ''"));
  CHECK_THAT(error({{"std", "1,0,1"}}), Contains("above 0"));
  CHECK_THAT(error({{"std", "-1"}}), Contains("above 0"));
  CHECK_THAT(error({{"std", "1e-300"}}), Contains("overflows"));
  CHECK_THAT(error({{"scale", "1,2"}}), Contains("expected one number"));
  CHECK_THAT(error({{"resize", "cubic"}}),
             Contains("expected one of bilinear, nearest, none, letterbox"));
  CHECK_THAT(error({{"resize", "nearest"}, {"antialias", "true"}}), Contains("'antialias'"));
  CHECK_THAT(error({{"pad_value", "7"}}), Contains("letterbox"));
  CHECK_THAT(error({{"max_pixels", "0"}}), Contains("'max_pixels' is '0'"));
  CHECK_THAT(error({{"input", ""}}), Contains("not empty"));
  CHECK_THAT(error({{"widht", "3"}}), Contains("'widht', did you mean 'width'?"));
}

}  // namespace
}  // namespace omserve::hostops
