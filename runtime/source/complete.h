// SPDX-License-Identifier: Apache-2.0
// Whether a version of a model is complete, for models that say what belongs to them.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "runtime/base/pace.h"
#include "runtime/source/digest_cache.h"

namespace omserve::source {

// OK where every file is there with its digest that <model>/<version>/SHA256SUMS lists, and that
// <model>/SHA256SUMS lists in the folder of this version or beside the versions' folders; also
// where there is neither list. Errors: kUnavailable, naming the file, while one is missing or
// another, which may still be on its way; kInvalidArgument for a list that cannot be read;
// kCancelled. Files are read no faster than `pace`. Blocks on the disk.
absl::Status CheckComplete(const std::string& model_folder, int64_t version, DigestCache& digests,
                           Pace& pace, const std::stop_token& stop);

}  // namespace omserve::source
