// SPDX-License-Identifier: Apache-2.0
#include "scheduler/content_digest.h"

#include <openssl/evp.h>

#include <cstdint>
#include <memory>

#include "runtime/base/check.h"

namespace omserve::scheduler {

ContentDigest DigestOf(std::span<const hostops::HostInput> inputs) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  bool ok = context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  const auto add = [&](const void* data, size_t size_bytes) {
    ok = ok && EVP_DigestUpdate(context.get(), data, size_bytes) == 1;
  };
  const auto add_number = [&](uint64_t number) { add(&number, sizeof(number)); };
  add_number(inputs.size());
  for (const hostops::HostInput& input : inputs) {
    add_number(input.dims.size());
    for (const int64_t dim : input.dims) {
      add_number(static_cast<uint64_t>(dim));
    }
    add_number(input.bytes.size());
    add(input.bytes.data(), input.bytes.size());
  }
  ContentDigest digest;
  ok =
      ok && EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(digest.bytes.data()),
                               nullptr) == 1;
  OMSERVE_CHECK(ok, "the library hashes what is in memory");
  return digest;
}

}  // namespace omserve::scheduler
