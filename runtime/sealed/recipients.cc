// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/recipients.h"

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/sealed/public_key.h"

namespace omserve::sealed {

absl::Status Recipients::CheckRoom() const {
  return size() < kMost ? absl::OkStatus()
                        : InvalidArgument("a file is sealed for at most {} recipients", kMost);
}

absl::Status Recipients::AddPublicKey(std::string_view pem, std::string_view source) {
  RETURN_IF_ERROR(CheckRoom());
  ASSIGN_OR_RETURN(Key key, ReadPublicKey(pem, source));
  if (std::ranges::any_of(public_keys_, [&](const Key& other) {
        return EVP_PKEY_eq(other.get(), key.get()) == 1;
      })) {
    return InvalidArgument("{}: this key is among the recipients already", source);
  }
  public_keys_.push_back(std::move(key));
  return absl::OkStatus();
}

absl::Status Recipients::AddSymmetricKey(SymmetricKey key) {
  RETURN_IF_ERROR(CheckRoom());
  if (std::ranges::any_of(symmetric_keys_,
                          [&](const SymmetricKey& other) { return other.id() == key.id(); })) {
    return InvalidArgument("key id '{}': a key with it is among the recipients already", key.id());
  }
  symmetric_keys_.push_back(std::move(key));
  return absl::OkStatus();
}

}  // namespace omserve::sealed
