// SPDX-License-Identifier: Apache-2.0
// What `omc inspect` found in a file, before it is text or JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/om/model_contents.h"
#include "runtime/om/model_description.h"
#include "runtime/om/om_file.h"
#include "runtime/om/zip_archive.h"

namespace omserve::omc {

struct PartReport {
  size_t model = 0;
  om::PartitionType type;
  uint64_t file_offset = 0;
  uint64_t bytes = 0;
};

// One line about each model of a file that has several.
struct ModelReport {
  std::string name;
  uint64_t bytes = 0;
  size_t input_count = 0;
  size_t output_count = 0;
  std::string error;  // Why it cannot be described; empty when it can.
};

struct InspectReport {
  om::FileKind kind = om::FileKind::kOm;
  uint64_t file_bytes = 0;
  std::vector<ModelReport> models;  // At least one.

  // Of an `.om` file; of the bundle and of the shown model's file in it.
  std::optional<om::Header> header;
  std::optional<om::Header> bundle_header;
  std::optional<uint64_t> bundle_variable_bytes;
  bool has_wide_tables = false;
  std::vector<PartReport> parts;

  // Of an om2 file.
  std::string om2_version;
  std::vector<om::ZipEntry> entries;

  // Of the model that is shown.
  size_t shown = 0;
  absl::StatusOr<om::ModelDescription> model = om::ModelDescription();
  om::ModelContents contents;  // Empty where there is no ModelDef to read.
};

std::string ReportText(const InspectReport& report);
std::string ReportJson(const InspectReport& report);

}  // namespace omserve::omc
