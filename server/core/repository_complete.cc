// SPDX-License-Identifier: Apache-2.0
// Which versions are complete, of models that say what belongs to them.
#include <algorithm>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "runtime/source/complete.h"
#include "server/core/model_repository.h"

namespace omserve::server {

absl::Status ModelRepository::CheckComplete(const Source& source, int64_t version) {
  return WithContext(
      source::CheckComplete(source.folder.path, version, digests_, *pace_, stopping_.get_token()),
      fmt::format("model '{}' version {}", source.folder.name, version));
}

absl::Status ModelRepository::DropIncomplete(const Source& source, std::vector<int64_t>& versions) {
  const std::vector<ModelHandle> served = catalog_.Versions(source.folder.name);
  absl::Status why;
  std::erase_if(versions, [&](int64_t version) {
    const absl::Status complete = CheckComplete(source, version);
    if (complete.ok() || std::any_of(served.begin(), served.end(), [version](const auto& model) {
          return model->version == version;
        })) {
      return false;
    }
    OMSERVE_LOG(kWarning, "catalog", "version passed over: {}", MessageOf(complete));
    why = complete;
    return true;
  });
  return why;
}

}  // namespace omserve::server
