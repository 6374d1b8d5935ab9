// SPDX-License-Identifier: Apache-2.0
// What a step's inputs are, in 32 bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>

#include "runtime/hostops/host_op.h"

namespace omserve::scheduler {

// Equal for equal inputs, and for others with no chance to speak of: clients choose the bytes, and
// who could make two inputs with one digest would have one client answered with another's result.
// Hence a cryptographic hash and not a fast one.
struct ContentDigest {
  std::array<std::byte, 32> bytes{};
  bool operator==(const ContentDigest&) const = default;
};

struct ContentDigestHash {
  size_t operator()(const ContentDigest& digest) const {
    size_t hash = 0;  // Any bytes of it are as good as a hash of it.
    std::memcpy(&hash, digest.bytes.data(), sizeof(hash));
    return hash;
  }
};

// SHA-256 over the number of inputs and of each its dims and its bytes, with their counts. Takes
// some microseconds per 10 KB.
ContentDigest DigestOf(std::span<const hostops::HostInput> inputs);

}  // namespace omserve::scheduler
