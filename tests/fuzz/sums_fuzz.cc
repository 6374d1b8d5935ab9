// SPDX-License-Identifier: Apache-2.0
// SHA256SUMS as anybody may write it, for a repository and as the list of a source.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/source/mirror_plan.h"
#include "runtime/source/source.h"
#include "runtime/source/sums_file.h"

namespace omserve::source {
namespace {

void Try(std::string_view text) {
  const absl::StatusOr<std::vector<Sum>> sums = ParseSums(text, "x");
  if (!sums.ok()) {
    OMSERVE_CHECK(absl::IsInvalidArgument(sums.status()) && !sums.status().message().empty(),
                  "what is damaged is its writer's fault, and every refusal says why");
    OMSERVE_CHECK(!FilesOfSums(text, "x").ok(), "a source is as strict");
    return;
  }
  const absl::StatusOr<std::vector<Sum>> again = ParseSums(WriteSums(*sums), "x");
  OMSERVE_CHECK(again.ok() && *again == *sums, "what was read can be written and read again");
  for (const Sum& sum : *sums) {
    OMSERVE_CHECK(CheckPath(sum.path).ok() && sum.path.find("..") != 0 && sum.path[0] != '/',
                  "paths lead below the folder");
  }
  const absl::StatusOr<std::vector<SourceFile>> files = FilesOfSums(text, "x");
  if (!files.ok()) {
    return;
  }
  const absl::StatusOr<std::vector<ModelUnits>> models = UnitsOf(*files);
  OMSERVE_CHECK(models.ok(), "what a list may say can be brought");
  size_t count = 0;
  for (const ModelUnits& model : *models) {
    for (const Unit& unit : model.units) {
      for (const SourceFile& file : unit.files) {
        OMSERVE_CHECK(UnitPathOf(file.path) == unit.path && ModelOfPath(file.path) == model.model,
                      "each file is in its place");
        ++count;
      }
    }
  }
  OMSERVE_CHECK(count == files->size(), "no file is lost");
}

}  // namespace
}  // namespace omserve::source

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(data, data + size);
  omserve::source::Try(text);
  return 0;
}
