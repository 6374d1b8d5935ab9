// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/folder_source.h"

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/source/local_file.h"
#include "runtime/source/sums_file.h"

namespace omserve::source {

absl::StatusOr<std::vector<SourceFile>> FolderSource::List(const std::stop_token& /*stop*/) {
  const std::string path = fmt::format("{}/{}", folder_, kSumsName);
  absl::StatusOr<std::string> text = ReadFile(path, kMostSumsBytes);
  if (!text.ok()) {
    return WithContext(
        text.status(),
        fmt::format("source '{}': expected a list of its files, made with sha256sum", name_));
  }
  return FilesOfSums(*text, fmt::format("source '{}': {}", name_, kSumsName));
}

absl::Status FolderSource::Read(const SourceFile& file, const Resume& resume, ByteSink& sink,
                                const std::stop_token& stop) {
  return ReadLocalFile(fmt::format("{}/{}", folder_, file.place), resume, sink, stop);
}

}  // namespace omserve::source
