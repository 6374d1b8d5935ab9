// SPDX-License-Identifier: Apache-2.0
#include "server/http/request_body.h"

namespace omserve::server {

RequestBody::RequestBody(size_t limit_bytes, ContentCoding coding)
    : limit_bytes_(limit_bytes),
      inflater_(coding == ContentCoding::kIdentity ? nullptr : std::make_unique<Inflater>(coding)) {
}

RequestBody::Problem RequestBody::Put(std::string_view piece) {
  has_come_ = has_come_ || !piece.empty();
  if (inflater_ != nullptr) {
    switch (inflater_->Put(piece, limit_bytes_, bytes_)) {
      case Inflater::Result::kGood:
        return Problem::kNone;
      case Inflater::Result::kTooLong:
        return Problem::kTooLong;
      case Inflater::Result::kDamaged:
        return Problem::kDamaged;
    }
  }
  if (piece.size() > limit_bytes_ - bytes_.size()) {
    return Problem::kTooLong;
  }
  bytes_.append(piece);
  return Problem::kNone;
}

RequestBody::Problem RequestBody::Finish() const {
  return inflater_ != nullptr && has_come_ && !inflater_->IsWhole() ? Problem::kDamaged
                                                                    : Problem::kNone;
}

std::span<char> RequestBody::Grow(size_t most) {
  // The zeros that resize writes stay in the processor's cache until the bytes come over them.
  constexpr size_t kStepBytes = 256 * 1024;
  const size_t old = bytes_.size();
  bytes_.resize(old + std::min({most, kStepBytes, limit_bytes_ - old}));
  return std::span(bytes_).subspan(old);
}

}  // namespace omserve::server
