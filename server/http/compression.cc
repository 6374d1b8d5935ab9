// SPDX-License-Identifier: Apache-2.0
#include "server/http/compression.h"

#define ZLIB_CONST  // Input is const.
#include <zlib.h>

#include <algorithm>
#include <limits>

#include "runtime/base/check.h"

namespace omserve::server {
namespace {

// The fastest, which is what servers compress with on the fly: higher levels take several times as
// long for a few percent.
constexpr int kLevel = 1;
constexpr int kMemoryLevel = 8;  // zlib's default.
// Output is made room for in such steps, in which a bomb is found too.
constexpr size_t kStepBytes = 64 * 1024;

int WindowBits(ContentCoding coding) {
  constexpr int kGzipFormat = 16;
  return coding == ContentCoding::kGzip ? MAX_WBITS + kGzipFormat : MAX_WBITS;
}

const Bytef* Bytes(const char* text) {
  return static_cast<const Bytef*>(static_cast<const void*>(text));
}

Bytef* Bytes(char* text) { return static_cast<Bytef*>(static_cast<void*>(text)); }

// zlib counts in 32 bits.
uInt Count(size_t bytes) {
  return static_cast<uInt>(std::min<size_t>(bytes, std::numeric_limits<uInt>::max()));
}

}  // namespace

struct Inflater::State {
  z_stream stream{};
};

Inflater::Inflater(ContentCoding coding) : coding_(coding), state_(std::make_unique<State>()) {
  OMSERVE_CHECK(inflateInit2(&state_->stream, WindowBits(coding)) == Z_OK,
                "zlib takes these settings, and memory is there");
}

Inflater::~Inflater() { inflateEnd(&state_->stream); }

Inflater::Result Inflater::Put(std::string_view piece, size_t limit_bytes, std::string& out) {
  z_stream& stream = state_->stream;
  bool has_more = false;  // There was no room for all that could be made of what came.
  while (!piece.empty() || has_more) {
    if (is_whole_) {
      // A gzip file may be several ones in a row; of deflate there is one.
      if (coding_ != ContentCoding::kGzip || inflateReset(&stream) != Z_OK) {
        return Result::kDamaged;
      }
      is_whole_ = false;
    }
    const size_t old = out.size();
    // One byte beyond the limit tells a stream that goes on from one that just ends.
    const size_t room = std::min(kStepBytes, limit_bytes + 1 - old);
    out.resize(old + room);
    stream.next_in = Bytes(piece.data());
    stream.avail_in = Count(piece.size());
    stream.next_out = Bytes(out.data() + old);
    stream.avail_out = Count(room);
    const int result = inflate(&stream, Z_NO_FLUSH);
    const size_t made = room - stream.avail_out;
    const size_t used = Count(piece.size()) - stream.avail_in;
    piece.remove_prefix(used);
    out.resize(old + made);
    if (out.size() > limit_bytes) {
      return Result::kTooLong;
    }
    is_whole_ = result == Z_STREAM_END;
    has_more = !is_whole_ && made == room;
    const bool has_starved = result == Z_BUF_ERROR && piece.empty();
    if (result != Z_OK && !is_whole_ && !has_starved) {
      return Result::kDamaged;
    }
  }
  return Result::kGood;
}

std::string Compressed(ContentCoding coding, std::span<const std::string_view> parts) {
  z_stream stream{};
  OMSERVE_CHECK(deflateInit2(&stream, kLevel, Z_DEFLATED, WindowBits(coding), kMemoryLevel,
                             Z_DEFAULT_STRATEGY) == Z_OK,
                "zlib takes these settings, and memory is there");
  std::string out;
  const auto put = [&](std::string_view part, int flush) {
    stream.next_in = Bytes(part.data());
    stream.avail_in = Count(part.size());
    int result = Z_OK;
    do {
      const size_t old = out.size();
      out.resize(old + kStepBytes);
      stream.next_out = Bytes(out.data() + old);
      stream.avail_out = Count(kStepBytes);
      result = deflate(&stream, flush);
      out.resize(old + kStepBytes - stream.avail_out);
    } while (stream.avail_out == 0 || stream.avail_in > 0);
    return result;
  };
  for (std::string_view part : parts) {
    while (!part.empty()) {
      const std::string_view piece = part.substr(0, Count(part.size()));
      put(piece, Z_NO_FLUSH);
      part.remove_prefix(piece.size());
    }
  }
  OMSERVE_CHECK(put({}, Z_FINISH) == Z_STREAM_END, "deflate ends when it is given room");
  deflateEnd(&stream);
  return out;
}

}  // namespace omserve::server
