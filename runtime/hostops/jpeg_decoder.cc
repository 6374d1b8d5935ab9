// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/jpeg_decoder.h"

// jpeglib.h needs FILE and size_t to be declared before it.
// clang-format off
#include <cstddef>
#include <cstdio>

#include <jerror.h>
#include <jpeglib.h>
// clang-format on

#include <array>
#include <csetjmp>

#include "runtime/base/errors.h"

namespace omserve::hostops {
namespace {

// A progressive file may repeat scans of a few bytes that each cost a pass over the whole picture.
// Encoders write about ten.
constexpr int kMaxScans = 100;

// libjpeg reports errors by a call that must not return: a longjmp. So everything that calls it
// stands in functions whose locals have no destructors, and what must outlive the jump is in here.
struct JpegContext {
  JpegContext() = default;
  JpegContext(const JpegContext&) = delete;
  JpegContext& operator=(const JpegContext&) = delete;
  ~JpegContext() {
    // Safe on a decompressor that was never created: its memory manager is null then.
    jpeg_destroy_decompress(&decoder);
  }

  jpeg_decompress_struct decoder{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf on_error{};
  std::array<char, JMSG_LENGTH_MAX> message{};
};

JpegContext* ContextOf(j_common_ptr decoder) {
  return static_cast<JpegContext*>(decoder->client_data);
}

[[noreturn]] void OnError(j_common_ptr decoder) {
  JpegContext* context = ContextOf(decoder);
  decoder->err->format_message(decoder, context->message.data());
  std::longjmp(context->on_error, 1);  // NOLINT: libjpeg knows no other way.
}

void OnOutput(j_common_ptr /*decoder*/) {}

// libjpeg goes on after corrupt data and fills the rest with gray. A model must not be asked about
// half a picture, so that is an error here, except for the flaws that harm no pixel and that
// cameras do write. Levels of 0 and above are traces.
void OnMessage(j_common_ptr decoder, int level) {
  if (level >= 0) {
    return;
  }
  switch (decoder->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_TOO_MUCH_DATA:
      return;
    default:
      OnError(decoder);
  }
}

void OnProgress(j_common_ptr decoder) {
  JpegContext* context = ContextOf(decoder);
  if (context->decoder.input_scan_number > kMaxScans) {
    std::snprintf(context->message.data(), context->message.size(), "more than %d scans",
                  kMaxScans);
    std::longjmp(context->on_error, 1);  // NOLINT
  }
}

bool ReadHeader(JpegContext* context, std::span<const std::byte> encoded) {
  jpeg_decompress_struct* decoder = &context->decoder;
  decoder->err = jpeg_std_error(&context->errors);
  context->errors.error_exit = OnError;
  context->errors.output_message = OnOutput;
  context->errors.emit_message = OnMessage;
  context->progress.progress_monitor = OnProgress;
  decoder->client_data = context;
  if (setjmp(context->on_error) != 0) {  // NOLINT
    return false;
  }
  jpeg_create_decompress(decoder);  // Keeps err and client_data.
  decoder->progress = &context->progress;
  jpeg_mem_src(decoder, reinterpret_cast<const unsigned char*>(encoded.data()),
               static_cast<unsigned long>(encoded.size()));  // NOLINT: libjpeg's type.
  jpeg_read_header(decoder, TRUE);
  return true;
}

bool ReadRows(JpegContext* context, uint8_t* rgb, size_t row_bytes) {
  if (setjmp(context->on_error) != 0) {  // NOLINT
    return false;
  }
  jpeg_decompress_struct* decoder = &context->decoder;
  decoder->out_color_space = JCS_RGB;
  jpeg_start_decompress(decoder);
  while (decoder->output_scanline < decoder->output_height) {
    JSAMPROW row = rgb + decoder->output_scanline * row_bytes;
    jpeg_read_scanlines(decoder, &row, 1);
  }
  jpeg_finish_decompress(decoder);
  return true;
}

absl::Status Failure(const JpegContext& context) {
  return InvalidArgument("JPEG: {}, expected a whole JPEG picture", context.message.data());
}

}  // namespace

absl::StatusOr<Picture> DecodeJpeg(std::span<const std::byte> encoded, int64_t max_pixels) {
  JpegContext context;
  if (!ReadHeader(&context, encoded)) {
    return Failure(context);
  }
  const jpeg_decompress_struct& decoder = context.decoder;
  // JPEG's sides are 16-bit numbers, so the product cannot overflow.
  const int64_t pixels = int64_t{decoder.image_width} * int64_t{decoder.image_height};
  if (pixels > max_pixels) {
    return InvalidArgument(
        "JPEG: {} x {} are {} pixels, expected at most {}; send a smaller picture or raise "
        "parameter 'max_pixels'",
        decoder.image_width, decoder.image_height, pixels, max_pixels);
  }
  if (decoder.jpeg_color_space != JCS_GRAYSCALE && decoder.jpeg_color_space != JCS_YCbCr &&
      decoder.jpeg_color_space != JCS_RGB) {
    return InvalidArgument(
        "JPEG: {} components in a colour space that is not converted (CMYK?), expected gray, "
        "YCbCr or RGB; convert the picture",
        decoder.num_components);
  }
  Picture picture{
      static_cast<int>(decoder.image_width), static_cast<int>(decoder.image_height), {}};
  const size_t row_bytes = size_t{decoder.image_width} * 3;
  picture.rgb.resize(row_bytes * decoder.image_height);
  if (!ReadRows(&context, picture.rgb.data(), row_bytes)) {
    return Failure(context);
  }
  return picture;
}

}  // namespace omserve::hostops
