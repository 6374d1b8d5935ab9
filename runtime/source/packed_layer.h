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

// What archives of `packed_bytes` together may hold: far more than models pack to, far less than
// would keep a reader busy for days over small files.
inline constexpr uint64_t kLeastPackedLimit = uint64_t{1} << 30;
inline constexpr uint64_t kMostPackedRatio = 1000;
uint64_t MostUnpackedBytes(uint64_t packed_bytes);

struct PackedLayer {
  std::string path;  // Of the archive.
  Digest digest{};
  uint64_t size_bytes = 0;
  // Only files below it, such as "models/"; what else there is, is passed over. Empty: all, and
  // something else than files and folders is an error.
  std::string below;
  uint64_t most_bytes = 0;  // That it may unpack to.
};

struct PackedFiles {
  std::vector<PackedFile> files;  // In the order of the archive, each once.
  uint64_t unpacked_bytes = 0;    // Of all that is in it, passed over or not, with its headers.
};

// Blocks for as long as it takes to unpack.
// Errors, without the layer's name: kInvalidArgument for an archive with other bytes than its
// digest says, that is damaged, that unpacks to too much, or has links, devices, or paths that
// CheckPath refuses; kNotFound, kUnavailable, kCancelled.
absl::StatusOr<PackedFiles> ListPackedLayer(const PackedLayer& layer, const std::stop_token& stop);

// One of its files, as Source::Read. Its bytes are not checked: whoever reads has their digest.
absl::Status ReadPackedFile(const std::string& archive_path, const std::string& path,
                            const Resume& resume, ByteSink& sink, const std::stop_token& stop);

}  // namespace omserve::source
