// SPDX-License-Identifier: Apache-2.0
// The JSON of OCI image layouts as anybody may write it: oci-layout, indexes, manifests, and names
// of models. The first byte says which.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/source/oci_json.h"
#include "runtime/source/sums_file.h"

namespace omserve::source {
namespace {

void CheckRefusal(const absl::Status& status) {
  OMSERVE_CHECK(absl::IsInvalidArgument(status) && !status.message().empty(),
                "what is damaged is its writer's fault, and every refusal says why");
}

void CheckRead(const absl::StatusOr<std::vector<OciDescriptor>>& read) {
  if (!read.ok()) {
    CheckRefusal(read.status());
    return;
  }
  OMSERVE_CHECK(read->size() <= kMostOciDescriptors, "there is a bound");
  for (const OciDescriptor& one : *read) {
    OMSERVE_CHECK(one.size_bytes <= uint64_t{1} << 63U, "sizes are of files");
  }
}

void Try(uint8_t what, const std::string& text) {
  switch (what % 4) {
    case 0:
      CheckRead(ParseOciIndex(text, "x"));
      break;
    case 1:
      CheckRead(ParseOciManifest(text, "x"));
      break;
    case 2: {
      const absl::Status status = CheckOciLayout(text, "x");
      if (!status.ok()) {
        CheckRefusal(status);
      }
      break;
    }
    default: {
      const absl::StatusOr<std::string> model = ModelOfReference(text);
      if (model.ok()) {
        OMSERVE_CHECK(CheckPath(*model).ok() && model->find('/') == std::string::npos,
                      "a model's name is one part of a path");
      } else {
        CheckRefusal(model.status());
      }
    }
  }
}

}  // namespace
}  // namespace omserve::source

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) {
    omserve::source::Try(data[0], std::string(data + 1, data + size));
  }
  return 0;
}
