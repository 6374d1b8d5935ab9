// SPDX-License-Identifier: Apache-2.0
// Bytes as an `.om` file: the container, and every model that it describes.
#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/base/check.h"
#include "runtime/om/model_description.h"
#include "runtime/om/om_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::StatusOr<omserve::om::OmFile> file =
      omserve::om::OmFile::Parse(std::as_bytes(std::span(data, size)));
  if (!file.ok()) {
    OMSERVE_CHECK(!file.status().message().empty(), "every refusal says why");
    return 0;
  }
  for (size_t model = 0; model < file->model_count(); ++model) {
    const auto description = omserve::om::DescribeModel(*file, model);
    if (!description.ok()) {
      OMSERVE_CHECK(!description.status().message().empty(), "every refusal says why");
      continue;
    }
    for (size_t gear = 0; gear < description->gears.size(); ++gear) {
      OMSERVE_CHECK(
          omserve::om::InputDimsAtGear(*description, gear).size() == description->inputs.size(),
          "a gear gives dims to every input");
    }
  }
  return 0;
}
