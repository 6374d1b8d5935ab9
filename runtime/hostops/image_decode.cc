// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/image_decode.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"
#include "runtime/hostops/call_check.h"
#include "runtime/hostops/image_codec.h"
#include "runtime/hostops/image_resize.h"
#include "runtime/hostops/parameters.h"

namespace omserve::hostops {
namespace {

constexpr std::array<std::string_view, 12> kParameters = {
    "antialias", "channels",  "height", "input", "max_pixels", "mean",
    "output",    "pad_value", "resize", "scale", "std",        "width"};
constexpr std::array<std::string_view, 4> kResizeNames = {"bilinear", "nearest", "none",
                                                          "letterbox"};
constexpr int64_t kSideMax = 16384;
constexpr int64_t kMaxPixelsDefault = int64_t{64} << 20;

// ITU-R BT.601, as JPEG's own luma and the usual libraries have it.
constexpr std::array<float, 3> kLuma = {0.299F, 0.587F, 0.114F};

enum class Resize { kBilinear, kNearest, kNone, kLetterbox };

struct Options {
  int width = 0;
  int height = 0;
  size_t channels = 3;
  Resize resize = Resize::kBilinear;
  ResizeFilter filter = ResizeFilter::kBilinear;
  float pad_value = 0;
  int64_t max_pixels = kMaxPixelsDefault;
  // value = pixel * factor + offset, per channel.
  std::vector<float> factor;
  std::vector<float> offset;
};

// Where the resized picture lies in the output.
struct Placement {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};

Placement Place(const Options& options, const Picture& picture) {
  if (options.resize != Resize::kLetterbox) {
    return {0, 0, options.width, options.height};
  }
  const double scale = std::min(static_cast<double>(options.width) / picture.width,
                                static_cast<double>(options.height) / picture.height);
  const auto side = [scale](int from, int most) {
    return std::clamp(static_cast<int>(std::lround(from * scale)), 1, most);
  };
  const int width = side(picture.width, options.width);
  const int height = side(picture.height, options.height);
  return {(options.width - width) / 2, (options.height - height) / 2, width, height};
}

class ImageDecode final : public HostOp {
 public:
  ImageDecode(Options options, TensorSpec input, TensorSpec output)
      : options_(std::move(options)), inputs_{std::move(input)}, outputs_{std::move(output)} {}

  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  size_t MaxOutputBytes(size_t /*index*/, int rows) const override {
    return static_cast<size_t>(rows) * RowBytes();
  }
  absl::Status Run(int rows, std::span<const HostInput> inputs,
                   std::span<HostOutput> outputs) const override;

 private:
  size_t RowBytes() const { return options_.channels * PlaneSize() * sizeof(float); }
  size_t PlaneSize() const {
    return static_cast<size_t>(options_.width) * static_cast<size_t>(options_.height);
  }
  absl::Status DecodeRow(std::string_view encoded, std::span<std::byte> to) const;
  void Fill(const Picture& picture, std::span<std::byte> to) const;
  void StoreRow(const Placement& place, size_t y, std::span<const float> planes,
                std::span<float> line, std::span<std::byte> to) const;

  const Options options_;
  const std::vector<TensorSpec> inputs_;
  const std::vector<TensorSpec> outputs_;
};

absl::Status ImageDecode::Run(int rows, std::span<const HostInput> inputs,
                              std::span<HostOutput> outputs) const {
  RETURN_IF_ERROR(CheckCall(*this, rows, inputs, outputs));
  BytesTensorReader reader(inputs[0].bytes);
  for (int row = 0; row < rows; ++row) {
    ASSIGN_OR_RETURN(const std::string_view encoded, reader.Next());
    const std::span<std::byte> to =
        outputs[0].buffer.subspan(static_cast<size_t>(row) * RowBytes(), RowBytes());
    RETURN_IF_ERROR(WithContext(DecodeRow(encoded, to),
                                fmt::format("input '{}' row {}", inputs_[0].name, row)));
  }
  outputs[0].bytes_used = MaxOutputBytes(0, rows);
  return absl::OkStatus();
}

absl::Status ImageDecode::DecodeRow(std::string_view encoded, std::span<std::byte> to) const {
  ASSIGN_OR_RETURN(const Picture picture,
                   DecodePicture(std::as_bytes(std::span(encoded)), options_.max_pixels));
  if (options_.resize == Resize::kNone &&
      (picture.width != options_.width || picture.height != options_.height)) {
    return InvalidArgument(
        "picture is {} wide and {} high, expected {} and {} because parameter 'resize' is 'none'",
        picture.width, picture.height, options_.width, options_.height);
  }
  Fill(picture, to);
  return absl::OkStatus();
}

void ImageDecode::Fill(const Picture& picture, std::span<std::byte> to) const {
  const Placement place = Place(options_, picture);
  const AxisTaps columns = MakeAxisTaps(picture.width, place.width, options_.filter);
  const AxisTaps rows = MakeAxisTaps(picture.height, place.height, options_.filter);
  std::vector<float> planes(3 * static_cast<size_t>(place.width));
  std::vector<float> line(static_cast<size_t>(options_.width));
  for (int y = 0; y < options_.height; ++y) {
    const bool inside = y >= place.top && y < place.top + place.height;
    if (inside) {
      SampleRow(picture, columns, rows, static_cast<size_t>(y - place.top), planes);
    }
    StoreRow(place, static_cast<size_t>(y),
             inside ? std::span<const float>(planes) : std::span<const float>(), line, to);
  }
}

// Puts one row of all channels in place, normalised. No planes: all of the row is padding.
// Goes through `line` because `to` need not be aligned for floats.
void ImageDecode::StoreRow(const Placement& place, size_t y, std::span<const float> planes,
                           std::span<float> line, std::span<std::byte> to) const {
  const auto width = static_cast<size_t>(place.width);
  for (size_t c = 0; c < options_.channels; ++c) {
    std::fill(line.begin(), line.end(), options_.pad_value);
    const std::span<float> inner = line.subspan(static_cast<size_t>(place.left), width);
    if (!planes.empty() && options_.channels == 3) {
      std::copy_n(planes.data() + c * width, width, inner.begin());
    } else if (!planes.empty()) {
      for (size_t x = 0; x < width; ++x) {
        inner[x] =
            kLuma[0] * planes[x] + kLuma[1] * planes[width + x] + kLuma[2] * planes[2 * width + x];
      }
    }
    for (float& value : line) {
      value = value * options_.factor[c] + options_.offset[c];
    }
    const size_t at = (c * PlaneSize() + y * line.size()) * sizeof(float);
    std::memcpy(to.data() + at, line.data(), line.size_bytes());
  }
}

// Folds (pixel * scale - mean) / std into one factor and one offset a channel.
absl::Status ReadNormalisation(const Parameters& parameters, Options* options) {
  ASSIGN_OR_RETURN(const std::vector<double> scale, parameters.Numbers("scale", 1, 1.0 / 255));
  ASSIGN_OR_RETURN(const std::vector<double> mean,
                   parameters.Numbers("mean", options->channels, 0));
  ASSIGN_OR_RETURN(const std::vector<double> deviation,
                   parameters.Numbers("std", options->channels, 1));
  for (size_t c = 0; c < options->channels; ++c) {
    const auto factor = static_cast<float>(scale.front() / deviation[c]);
    const auto offset = static_cast<float>(-mean[c] / deviation[c]);
    if (deviation[c] <= 0 || !std::isfinite(factor) || !std::isfinite(offset)) {
      return parameters.Wrong("std", "numbers above 0, and not so small that mean / std overflows");
    }
    options->factor.push_back(factor);
    options->offset.push_back(offset);
  }
  return absl::OkStatus();
}

absl::Status ReadResize(const Parameters& parameters, Options* options) {
  ASSIGN_OR_RETURN(const std::string resize, parameters.Choice("resize", kResizeNames));
  ASSIGN_OR_RETURN(const bool antialias, parameters.Flag("antialias", false));
  ASSIGN_OR_RETURN(const int64_t pad_value, parameters.Integer("pad_value", 0, 255, 0));
  const auto at = std::find(kResizeNames.begin(), kResizeNames.end(), resize);
  options->resize = static_cast<Resize>(at - kResizeNames.begin());
  options->pad_value = static_cast<float>(pad_value);
  const bool bilinear =
      options->resize == Resize::kBilinear || options->resize == Resize::kLetterbox;
  if (antialias && !bilinear) {
    return parameters.Wrong("antialias", "false unless 'resize' is bilinear or letterbox");
  }
  if (parameters.Has("pad_value") && options->resize != Resize::kLetterbox) {
    return parameters.Wrong("pad_value", "no such parameter unless 'resize' is letterbox");
  }
  if (antialias) {
    options->filter = ResizeFilter::kBilinearAntialias;
  } else {
    options->filter = bilinear ? ResizeFilter::kBilinear : ResizeFilter::kNearest;
  }
  return absl::OkStatus();
}

absl::StatusOr<Options> ReadOptions(const Parameters& parameters) {
  Options options;
  ASSIGN_OR_RETURN(const int64_t width, parameters.Integer("width", 1, kSideMax));
  ASSIGN_OR_RETURN(const int64_t height, parameters.Integer("height", 1, kSideMax));
  ASSIGN_OR_RETURN(const int64_t channels, parameters.Integer("channels", 1, 3, 3));
  if (channels == 2) {
    return parameters.Wrong("channels", "1 or 3");
  }
  ASSIGN_OR_RETURN(options.max_pixels,
                   parameters.Integer("max_pixels", 1, int64_t{1} << 32, kMaxPixelsDefault));
  options.width = static_cast<int>(width);
  options.height = static_cast<int>(height);
  options.channels = static_cast<size_t>(channels);
  RETURN_IF_ERROR(ReadResize(parameters, &options));
  RETURN_IF_ERROR(ReadNormalisation(parameters, &options));
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HostOp>> MakeImageDecode(const HostOpConfig& config) {
  ASSIGN_OR_RETURN(const Parameters parameters, Parameters::Make(config, kParameters));
  ASSIGN_OR_RETURN(Options options, ReadOptions(parameters));
  ASSIGN_OR_RETURN(std::string input, parameters.Word("input", "bytes"));
  ASSIGN_OR_RETURN(std::string output, parameters.Word("output", "image"));
  const Dims dims = {static_cast<int64_t>(options.channels), options.height, options.width};
  return std::make_unique<ImageDecode>(std::move(options),
                                       TensorSpec{std::move(input), DataType::kBytes, {1}},
                                       TensorSpec{std::move(output), DataType::kFp32, dims});
}

}  // namespace omserve::hostops
