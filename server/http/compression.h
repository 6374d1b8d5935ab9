// SPDX-License-Identifier: Apache-2.0
// Bodies in gzip's and zlib's formats, by zlib.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "server/http/content_coding.h"

namespace omserve::server {

// Decompresses a stream piece by piece. Thread-compatible.
class Inflater final {
 public:
  explicit Inflater(ContentCoding coding);  // Not kIdentity.
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater();

  enum class Result { kGood, kTooLong, kDamaged };
  // Appends what `piece` holds to `out`, which does not grow beyond `limit_bytes`.
  Result Put(std::string_view piece, size_t limit_bytes, std::string& out);
  // Whether what was put is a whole stream (of gzip: one or several).
  bool IsWhole() const { return is_whole_; }

 private:
  struct State;  // Keeps zlib out.

  const ContentCoding coding_;
  const std::unique_ptr<State> state_;
  bool is_whole_ = false;
};

// All of `parts`, one after the other, compressed in one piece. Not kIdentity.
std::string Compressed(ContentCoding coding, std::span<const std::string_view> parts);

}  // namespace omserve::server
