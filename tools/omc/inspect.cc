// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/inspect.h"

#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/om/bundle.h"
#include "runtime/om/model_def_json.h"
#include "runtime/om/om2_file.h"
#include "runtime/sealed/header.h"
#include "tools/omc/inspect_report.h"
#include "tools/omc/seal.h"

namespace omserve::omc {
namespace {

using Bytes = std::span<const std::byte>;

ModelReport Summary(const absl::StatusOr<om::ModelDescription>& model, uint64_t bytes) {
  if (!model.ok()) {
    return ModelReport{.bytes = bytes, .error = std::string(MessageOf(model.status()))};
  }
  return ModelReport{.name = model->name,
                     .bytes = bytes,
                     .input_count = model->inputs.size(),
                     .output_count = model->outputs.size()};
}

absl::Status CheckShown(size_t shown, size_t model_count) {
  if (shown < model_count) {
    return absl::OkStatus();
  }
  return InvalidArgument("there is no model {}: the file has {}, counted from 0", shown,
                         model_count);
}

// The header, the parts of every model, and model `shown` in full. `whole` is what offsets count
// from.
void DescribeOm(const om::OmFile& file, Bytes whole, size_t shown, InspectReport& report) {
  report.header = file.header();
  report.has_wide_tables = file.has_wide_tables();
  for (size_t model = 0; model < file.model_count(); ++model) {
    for (const om::Partition& partition : file.partitions(model)) {
      const auto offset = static_cast<uint64_t>(partition.data.data() - whole.data());
      report.parts.push_back(PartReport{.model = model,
                                        .type = partition.type,
                                        .file_offset = offset,
                                        .bytes = partition.data.size()});
    }
  }
  report.model = om::DescribeModel(file, shown);
  absl::StatusOr<om::ModelContents> contents = om::ReadModelContents(file, shown);
  if (contents.ok()) {
    report.contents = *std::move(contents);
  }
}

absl::StatusOr<InspectReport> ReportOm(Bytes bytes, size_t shown) {
  ASSIGN_OR_RETURN(const om::OmFile file, om::OmFile::Parse(bytes));
  RETURN_IF_ERROR(CheckShown(shown, file.model_count()));
  InspectReport report{.kind = om::FileKind::kOm, .shown = shown};
  DescribeOm(file, bytes, shown, report);
  for (size_t model = 0; model < file.model_count(); ++model) {
    uint64_t model_bytes = 0;
    for (const om::Partition& partition : file.partitions(model)) {
      model_bytes += partition.data.size();
    }
    report.models.push_back(
        Summary(model == shown ? report.model : om::DescribeModel(file, model), model_bytes));
  }
  return report;
}

absl::StatusOr<InspectReport> ReportBundle(Bytes bytes, size_t shown) {
  ASSIGN_OR_RETURN(const om::Bundle bundle, om::ParseBundle(bytes));
  RETURN_IF_ERROR(CheckShown(shown, bundle.models.size()));
  InspectReport report{.kind = om::FileKind::kBundle,
                       .bundle_header = bundle.header,
                       .bundle_variable_bytes = bundle.variable_bytes,
                       .shown = shown};
  for (size_t model = 0; model < bundle.models.size(); ++model) {
    const absl::StatusOr<om::OmFile> file = om::OmFile::Parse(bundle.models[model]);
    absl::StatusOr<om::ModelDescription> description =
        file.ok() ? om::DescribeModel(*file) : file.status();
    report.models.push_back(Summary(description, bundle.models[model].size()));
    if (model == shown) {
      report.model = std::move(description);
      if (file.ok()) {
        DescribeOm(*file, bytes, 0, report);
      }
    }
  }
  return report;
}

absl::StatusOr<InspectReport> ReportOm2(Bytes bytes, size_t shown) {
  ASSIGN_OR_RETURN(const om::Om2File file, om::Om2File::Parse(bytes));
  RETURN_IF_ERROR(CheckShown(shown, file.model_count()));
  InspectReport report{.kind = om::FileKind::kOm2, .om2_version = file.version(), .shown = shown};
  report.entries.assign(file.archive().entries().begin(), file.archive().entries().end());
  for (size_t model = 0; model < file.model_count(); ++model) {
    absl::StatusOr<om::ModelDescription> description = om::DescribeModel(file, model);
    uint64_t model_bytes = 0;
    for (const om::ZipEntry& entry : report.entries) {
      model_bytes +=
          entry.name.starts_with(fmt::format("data/model_{}/", model)) ? entry.packed_bytes : 0;
    }
    report.models.push_back(Summary(description, model_bytes));
    if (model == shown) {
      report.model = std::move(description);
    }
  }
  return report;
}

absl::StatusOr<InspectReport> MakeReport(Bytes bytes, size_t shown) {
  switch (om::KindOf(bytes)) {
    case om::FileKind::kBundle:
      return ReportBundle(bytes, shown);
    case om::FileKind::kOm2:
      return ReportOm2(bytes, shown);
    case om::FileKind::kOm:
    case om::FileKind::kOther:  // The reader says what the file seems to be.
      break;
  }
  return ReportOm(bytes, shown);
}

absl::StatusOr<std::string> GraphJson(Bytes bytes, size_t shown) {
  if (om::KindOf(bytes) == om::FileKind::kOm2) {
    return InvalidArgument(
        "an om2 file holds compiled programs and no graph: leave --model-json out to see what it "
        "says of its model");
  }
  size_t model = shown;
  if (om::KindOf(bytes) == om::FileKind::kBundle) {
    ASSIGN_OR_RETURN(const om::Bundle bundle, om::ParseBundle(bytes));
    RETURN_IF_ERROR(CheckShown(shown, bundle.models.size()));
    bytes = bundle.models[shown];
    model = 0;
  }
  ASSIGN_OR_RETURN(const om::OmFile file, om::OmFile::Parse(bytes));
  RETURN_IF_ERROR(CheckShown(model, file.model_count()));
  return om::ModelDefJson(file, model);
}

absl::StatusOr<std::string> InspectSealed(Bytes bytes, InspectForm form) {
  switch (form) {
    case InspectForm::kText:
      return InspectSealedText(bytes);
    case InspectForm::kJson:
      return InspectSealedJson(bytes);
    case InspectForm::kModelJson:
      break;
  }
  return InvalidArgument("the file is sealed; `omc open` gives the model, for who has a key");
}

}  // namespace

absl::StatusOr<std::string> Inspect(Bytes bytes, InspectForm form, size_t model) {
  if (sealed::IsSealed(bytes)) {
    return InspectSealed(bytes, form);
  }
  if (form == InspectForm::kModelJson) {
    return GraphJson(bytes, model);
  }
  ASSIGN_OR_RETURN(InspectReport report, MakeReport(bytes, model));
  report.file_bytes = bytes.size();
  return form == InspectForm::kText ? ReportText(report) : ReportJson(report);
}

absl::StatusOr<std::string> InspectFile(const std::string& path, InspectForm form, size_t model) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  absl::StatusOr<std::string> text = Inspect(file.bytes(), form, model);
  if (!text.ok()) {
    return WithContext(text.status(), "'" + path + "'");
  }
  return text;
}

}  // namespace omserve::omc
