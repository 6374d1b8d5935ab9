// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/source.h"

#include <utility>

#include "runtime/base/errors.h"
#include "runtime/source/sums_file.h"

namespace omserve::source {

absl::StatusOr<std::vector<SourceFile>> FilesOfSums(std::string_view text, std::string_view where) {
  ASSIGN_OR_RETURN(std::vector<Sum> sums, ParseSums(text, where));
  std::vector<SourceFile> files;
  for (Sum& sum : sums) {
    if (sum.path.find('/') != std::string::npos) {
      files.push_back({.path = sum.path, .digest = sum.digest, .place = sum.path});
    }
  }
  if (files.empty()) {
    return InvalidArgument(
        "{}: no file of a model, expected lines such as '<digest>  text/1/model.om'; nothing is "
        "removed for it",
        where);
  }
  return files;
}

}  // namespace omserve::source
