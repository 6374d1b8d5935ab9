// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/key_ring.h"

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"

namespace omserve::sealed {

absl::Status KeyRing::AddPrivateKey(const SecretBytes& pem, std::string_view source) {
  ASSIGN_OR_RETURN(Key key, ReadPrivateKey(pem, source));
  ASSIGN_OR_RETURN(const PublicKeyId id, IdOf(key.get()));
  if (FindPrivateKey(id) != nullptr) {
    return InvalidArgument("{}: this key is given twice", source);
  }
  private_keys_.push_back({.id = id, .key = std::move(key)});
  return absl::OkStatus();
}

absl::Status KeyRing::AddSymmetricKey(SymmetricKey key) {
  if (FindSymmetricKey(key.id()) != nullptr) {
    return InvalidArgument("key id '{}': a key with it is given twice", key.id());
  }
  symmetric_keys_.push_back(std::move(key));
  return absl::OkStatus();
}

const KeyRing::PrivateKey* KeyRing::FindPrivateKey(std::span<const std::byte> id) const {
  const auto found = std::ranges::find_if(
      private_keys_, [&](const PrivateKey& key) { return std::ranges::equal(key.id, id); });
  return found == private_keys_.end() ? nullptr : &*found;
}

const SymmetricKey* KeyRing::FindSymmetricKey(std::string_view id) const {
  const auto found = std::ranges::find_if(symmetric_keys_,
                                          [&](const SymmetricKey& key) { return key.id() == id; });
  return found == symmetric_keys_.end() ? nullptr : &*found;
}

std::string KeyRing::ToText() const {
  std::string text;
  for (const PrivateKey& key : private_keys_) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", sealed::ToText(key.id));
  }
  for (const SymmetricKey& key : symmetric_keys_) {
    text += fmt::format("{}key '{}'", text.empty() ? "" : ", ", key.id());
  }
  return text.empty() ? "none" : text;
}

}  // namespace omserve::sealed
