// SPDX-License-Identifier: Apache-2.0
// The om2 form of a compiled model (CANN 9): a ZIP archive with manifest.json, and for each model
// its description in data/model_<n>/model_meta.json beside programs, kernels and constants.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/om/model_description.h"
#include "runtime/om/zip_archive.h"

namespace omserve::om {

// A view, valid as long as the bytes it was parsed from. Thread-compatible.
class Om2File final {
 public:
  // Errors: kInvalidArgument saying what is wrong with the archive or its manifest.
  static absl::StatusOr<Om2File> Parse(std::span<const std::byte> bytes);

  const ZipArchive& archive() const { return archive_; }
  const std::string& version() const { return version_; }  // "0", "1.0"
  const std::string& command() const { return command_; }  // How atc was called.
  size_t model_count() const { return model_count_; }      // At least 1.

 private:
  absl::Status ReadManifest();

  ZipArchive archive_;
  std::string version_;
  std::string command_;
  size_t model_count_ = 1;
};

// As DescribeModel of an OmFile, as far as the file says it: streams and events stay 0, and chip
// and compiler are those of the command.
absl::StatusOr<ModelDescription> DescribeModel(const Om2File& file, size_t model = 0);

// The description in the text of a model_meta.json; `command` is the manifest's.
absl::StatusOr<ModelDescription> DescribeModelMeta(std::string_view meta, std::string_view command);

}  // namespace omserve::om
