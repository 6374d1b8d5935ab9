// SPDX-License-Identifier: Apache-2.0
// One RecipientInfo of a CMS message: who it is for, and the content-encryption key out of it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "runtime/sealed/key_ring.h"
#include "runtime/sealed/key_section.h"
#include "runtime/sealed/openssl_handles.h"

namespace omserve::sealed {

// Borrows from the message; a value of two pointers.
class CmsRecipient final {
 public:
  // The recipients of `cms`, which outlives them.
  static std::vector<CmsRecipient> AllOf(CMS_ContentInfo* cms);

  RecipientDescription Describe() const;
  // Whether `ring` has the key that this recipient names.
  bool Fits(const KeyRing& ring) const;
  // Gives the message the key with which its content is decrypted. Requires: Fits(ring). False
  // when the algorithm is none of ours or the wrapped key does not open.
  bool Unlock(const KeyRing& ring) const;

 private:
  CmsRecipient(CMS_ContentInfo* cms, CMS_RecipientInfo* info) : cms_(cms), info_(info) {}

  RecipientKind kind() const;
  // As the message has it; empty where there is none.
  std::span<const std::byte> key_id() const;
  CMS_RecipientEncryptedKey* encrypted_key() const;
  bool UnlockRsa(EVP_PKEY* key) const;
  bool UnlockEllipticCurve(EVP_PKEY* key) const;
  bool UnlockSymmetric(const SymmetricKey& key) const;

  CMS_ContentInfo* cms_;
  CMS_RecipientInfo* info_;
};

}  // namespace omserve::sealed
