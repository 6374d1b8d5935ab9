// SPDX-License-Identifier: Apache-2.0
// Whether a version of a model is complete, for models that say what belongs to them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "runtime/source/digest_cache.h"

namespace omserve::source {

// OK where every file is there with its digest that <model>/<version>/SHA256SUMS lists, and that
// <model>/SHA256SUMS lists in the folder of this version or beside the versions' folders; also
// where there is neither list. Errors: kUnavailable, naming the file, while one is missing or
// another, which may still be on its way; kInvalidArgument for a list that cannot be read. Blocks
// on the disk.
absl::Status CheckComplete(const std::string& model_folder, int64_t version, DigestCache& digests);

}  // namespace omserve::source
