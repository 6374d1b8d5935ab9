// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/png_decoder.h"

#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>

#include "runtime/base/errors.h"

namespace omserve::hostops {
namespace {

// libpng reports errors by a longjmp. So everything that calls it stands in functions whose locals
// have no destructors, and what must outlive the jump is in here.
struct PngContext {
  explicit PngContext(std::span<const std::byte> bytes) : input(bytes) {}
  PngContext(const PngContext&) = delete;
  PngContext& operator=(const PngContext&) = delete;
  ~PngContext() { png_destroy_read_struct(&png, &info, nullptr); }

  std::span<const std::byte> input;
  size_t at = 0;
  png_structp png = nullptr;
  png_infop info = nullptr;
  int passes = 0;
  std::array<char, 128> error{};
};

[[noreturn]] void OnError(png_structp png, png_const_charp message) {
  auto* context = static_cast<PngContext*>(png_get_error_ptr(png));
  std::strncpy(context->error.data(), message, context->error.size() - 1);
  png_longjmp(png, 1);
}

// Warnings are about chunks that do not touch the pixels.
void OnWarning(png_structp /*png*/, png_const_charp /*message*/) {}

void OnRead(png_structp png, png_bytep to, png_size_t size) {
  auto* context = static_cast<PngContext*>(png_get_io_ptr(png));
  if (size > context->input.size() - context->at) {
    png_error(png, "the file ends early");
  }
  std::memcpy(to, context->input.data() + context->at, size);
  context->at += size;
}

bool ReadHeader(PngContext* context) {
  context->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, context, OnError, OnWarning);
  if (context->png == nullptr) {
    return false;
  }
  if (setjmp(png_jmpbuf(context->png)) != 0) {  // NOLINT: libpng knows no other way.
    return false;
  }
  context->info = png_create_info_struct(context->png);
  if (context->info == nullptr) {
    return false;
  }
  png_set_read_fn(context->png, context, OnRead);
  png_read_info(context->png, context->info);
  return true;
}

// Asks for eight-bit RGB whatever the file holds. Palette transparency (tRNS) is not expanded and
// an alpha channel is stripped, so colours stay as they are stored.
bool PrepareRows(PngContext* context) {
  if (setjmp(png_jmpbuf(context->png)) != 0) {  // NOLINT
    return false;
  }
  png_structp png = context->png;
  const png_byte color = png_get_color_type(png, context->info);
  if (color == PNG_COLOR_TYPE_PALETTE) {
    png_set_palette_to_rgb(png);
  }
  if (color == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, context->info) < 8) {
    png_set_expand_gray_1_2_4_to_8(png);
  }
  png_set_scale_16(png);
  png_set_strip_alpha(png);
  png_set_gray_to_rgb(png);
  context->passes = png_set_interlace_handling(png);
  png_read_update_info(png, context->info);
  return true;
}

bool ReadRows(PngContext* context, uint8_t* rgb, size_t row_bytes, png_uint_32 height) {
  if (setjmp(png_jmpbuf(context->png)) != 0) {  // NOLINT
    return false;
  }
  // An interlaced picture is read several times over, each pass filling in more of the same rows.
  for (int pass = 0; pass < context->passes; ++pass) {
    for (png_uint_32 y = 0; y < height; ++y) {
      png_read_row(context->png, rgb + y * row_bytes, nullptr);
    }
  }
  // Reads the checksum of the pixels and the end mark, so that a cut file is noticed.
  png_read_end(context->png, nullptr);
  return true;
}

absl::Status Failure(const PngContext& context) {
  return InvalidArgument("PNG: {} (at byte {} of {}), expected a whole PNG picture",
                         context.error.front() == '\0' ? "out of memory" : context.error.data(),
                         context.at, context.input.size());
}

}  // namespace

absl::StatusOr<Picture> DecodePng(std::span<const std::byte> encoded, int64_t max_pixels) {
  PngContext context(encoded);
  if (!ReadHeader(&context)) {
    return Failure(context);
  }
  const png_uint_32 width = png_get_image_width(context.png, context.info);
  const png_uint_32 height = png_get_image_height(context.png, context.info);
  // libpng itself refuses sides above a million, so the product cannot overflow.
  const int64_t pixels = int64_t{width} * int64_t{height};
  if (pixels > max_pixels) {
    return InvalidArgument(
        "PNG: {} x {} are {} pixels, expected at most {}; send a smaller picture or raise "
        "parameter 'max_pixels'",
        width, height, pixels, max_pixels);
  }
  if (!PrepareRows(&context)) {
    return Failure(context);
  }
  const size_t row_bytes = size_t{width} * 3;
  if (png_get_rowbytes(context.png, context.info) != row_bytes) {
    return InvalidArgument("PNG: rows of {} bytes, expected {} after conversion to RGB",
                           png_get_rowbytes(context.png, context.info), row_bytes);
  }
  Picture picture{static_cast<int>(width), static_cast<int>(height), {}};
  picture.rgb.resize(row_bytes * height);
  if (!ReadRows(&context, picture.rgb.data(), row_bytes, height)) {
    return Failure(context);
  }
  return picture;
}

}  // namespace omserve::hostops
