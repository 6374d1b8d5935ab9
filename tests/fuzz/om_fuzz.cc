// SPDX-License-Identifier: Apache-2.0
// Bytes as a model file of any form: the container, every model that it describes, the graph as
// JSON, and what `omc inspect` shows of it all. An archive's checksums stop most mutations, so
// bytes that begin as JSON go to the reader of an archive's description.
#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/base/check.h"
#include "runtime/om/bundle.h"
#include "runtime/om/byte_reader.h"
#include "runtime/om/model_def_json.h"
#include "runtime/om/model_description.h"
#include "runtime/om/om2_file.h"
#include "runtime/om/om_file.h"
#include "tools/omc/inspect.h"

namespace omserve::om {
namespace {

constexpr size_t kMostEntryBytes = 1 << 16;

template <typename T>
bool IsGiven(const absl::StatusOr<T>& value) {
  OMSERVE_CHECK(value.ok() || !value.status().message().empty(), "every refusal says why");
  return value.ok();
}

void CheckDescription(const absl::StatusOr<ModelDescription>& model) {
  if (!IsGiven(model)) {
    return;
  }
  for (size_t gear = 0; gear < model->gears.size(); ++gear) {
    OMSERVE_CHECK(InputDimsAtGear(*model, gear).size() == model->inputs.size(),
                  "a gear gives dims to every input");
  }
}

void CheckJson(const std::string& text) {
  boost::json::error_code error;
  boost::json::parse_options options;
  options.max_depth = 1000;  // Graphs within attributes within graphs.
  boost::json::parse(text, error, {}, options);
  OMSERVE_CHECK(!error, "what is printed as JSON is JSON");
}

void TryOm(std::span<const std::byte> bytes) {
  const absl::StatusOr<OmFile> file = OmFile::Parse(bytes);
  if (!IsGiven(file)) {
    return;
  }
  for (size_t model = 0; model < file->model_count(); ++model) {
    CheckDescription(DescribeModel(*file, model));
    const absl::StatusOr<std::string> json = ModelDefJson(*file, model);
    if (IsGiven(json)) {
      CheckJson(*json);
    }
  }
}

void TryOm2(std::span<const std::byte> bytes) {
  const absl::StatusOr<ZipArchive> archive = ZipArchive::Parse(bytes);
  if (IsGiven(archive)) {
    for (const ZipEntry& entry : archive->entries()) {
      const absl::StatusOr<std::string> contents = archive->Read(entry, kMostEntryBytes);
      OMSERVE_CHECK(!IsGiven(contents) || contents->size() == entry.bytes,
                    "an entry has the size that the directory says");
    }
  }
  const absl::StatusOr<Om2File> file = Om2File::Parse(bytes);
  if (IsGiven(file)) {
    CheckDescription(DescribeModel(*file));
  }
}

void Try(std::span<const std::byte> bytes) {
  switch (KindOf(bytes)) {
    case FileKind::kOm:
      return TryOm(bytes);
    case FileKind::kBundle: {
      const absl::StatusOr<Bundle> bundle = ParseBundle(bytes);
      if (IsGiven(bundle)) {
        for (const std::span<const std::byte> model : bundle->models) {
          TryOm(model);
        }
      }
      return;
    }
    case FileKind::kOm2:
      return TryOm2(bytes);
    case FileKind::kOther:
      if (AsText(bytes).starts_with('{')) {
        CheckDescription(DescribeModelMeta(AsText(bytes), "atc --input_shape=x:-1,3"));
      }
      return;
  }
}

}  // namespace
}  // namespace omserve::om

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  omserve::om::Try(bytes);
  const auto text = omserve::omc::Inspect(bytes, omserve::omc::InspectForm::kText);
  const auto json = omserve::omc::Inspect(bytes, omserve::omc::InspectForm::kJson);
  OMSERVE_CHECK(text.ok() == json.ok(), "both forms show the same files");
  if (json.ok()) {
    omserve::om::CheckJson(*json);
  }
  return 0;
}
