// SPDX-License-Identifier: Apache-2.0
// The body of a request while it comes in: bounded, and written once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "server/http/compression.h"
#include "server/http/content_coding.h"

namespace omserve::server {

// Thread-compatible.
class RequestBody final {
 public:
  enum class Problem { kNone, kTooLong, kDamaged };

  // The limit is that of the body as it is when it is decompressed.
  explicit RequestBody(size_t limit_bytes, ContentCoding coding = ContentCoding::kIdentity);

  // So many bytes are to come. Only address space is taken for them: memory follows what comes.
  void Expect(size_t bytes) { bytes_.reserve(std::min(bytes, limit_bytes_)); }
  // Appends what has come, decompressed.
  Problem Put(std::string_view piece);
  // Whether Grow may be used: not where what comes has to be decompressed.
  bool takes_in_place() const { return inflater_ == nullptr; }
  // Room for up to `most` bytes that are then written in place; Shrink gives back what was not.
  std::span<char> Grow(size_t most);
  void Shrink(size_t unused) { bytes_.resize(bytes_.size() - unused); }
  // No more is to come.
  Problem Finish() const;

  std::string Take() { return std::exchange(bytes_, std::string()); }

 private:
  const size_t limit_bytes_;
  const std::unique_ptr<Inflater> inflater_;  // Null for kIdentity.
  bool has_come_ = false;                     // Something has.
  std::string bytes_;
};

}  // namespace omserve::server
