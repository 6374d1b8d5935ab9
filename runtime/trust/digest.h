// SPDX-License-Identifier: Apache-2.0
// Files in shards.
//
// One SHA-256 is sequential (openssl speed -evp sha256: 1.7 GB/s a core, 0.5 without instructions
// for it), so large files are signed in shards, whose digests are computed beside each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "runtime/base/digest.h"

namespace omserve::trust {

// How a file of `size_bytes` is cut into shards, in order; the last may be shorter, and an empty
// file has none. `shard_bytes` 0: the whole file as one, empty or not.
std::vector<ByteRange> ShardsOf(uint64_t size_bytes, uint64_t shard_bytes);

// Runs `body` once for each index below `count`, on the calling thread and up to `threads` - 1
// threads of its own, which have ended when this returns. `body` is called from all of them.
void ForEachIndex(size_t count, int threads, const std::function<void(size_t)>& body);

}  // namespace omserve::trust
