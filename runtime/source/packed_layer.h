// SPDX-License-Identifier: Apache-2.0
// A layer of an OCI image that is an archive: tar, plain or in gzip or zstd. Internal to
// runtime/source.
//
// What is in it is known only once it was unpacked, so it is read once to be listed, and again up
// to a file when that is brought. Nothing of it is written anywhere here.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/digest.h"
#include "runtime/source/source.h"

namespace omserve::source {

struct PackedFile {
  std::string path;  // As in the archive, without a leading "./".
  Digest digest{};
  uint64_t size_bytes = 0;
};

// What an archive may hold: far more than a model's packs to, far less than would fill a disk from
// a small file.
inline constexpr uint64_t kLeastPackedLimit = uint64_t{1} << 30;
inline constexpr uint64_t kMostPackedRatio = 1000;

struct PackedLayer {
  std::string path;  // Of the archive.
  Digest digest{};
  uint64_t size_bytes = 0;
  // Only files below it, such as "models/"; what else there is, is passed over. Empty: all, and
  // something else than files and folders is an error.
  std::string below;
};

// Its files in the order of the archive, each once. Blocks for as long as it takes to unpack.
// Errors, without the layer's name: kInvalidArgument for an archive with other bytes than its
// digest says, that is damaged, that unpacks to more than the bounds above, or has links, devices,
// or paths that CheckPath refuses; kNotFound, kUnavailable, kCancelled.
absl::StatusOr<std::vector<PackedFile>> ListPackedLayer(const PackedLayer& layer,
                                                        const std::stop_token& stop);

// One of its files, as Source::Read. Its bytes are not checked: whoever reads has their digest.
absl::Status ReadPackedFile(const std::string& archive_path, const std::string& path,
                            const Resume& resume, ByteSink& sink, const std::stop_token& stop);

}  // namespace omserve::source
