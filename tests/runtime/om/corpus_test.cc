// SPDX-License-Identifier: Apache-2.0
// The corpus of om_fuzz: sound files of every form. `om_test "[write_corpus]"` writes it again
// after the format or the writer has changed.
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <map>

#include "proto/ge/ge_ir.pb.h"
#include "runtime/base/file.h"
#include "runtime/om/bundle.h"
#include "runtime/om/om2_file.h"
#include "tests/runtime/om/om_builders.h"
#include "tests/runtime/om/om_samples.h"
#include "tests/status_test_util.h"

namespace omserve::om {
namespace {

const std::string& Folder() {
  static const std::string folder = OMSERVE_SOURCE_DIR "/tests/fuzz/corpus/om/";
  return folder;
}

ModelDescription ModelOfKind(GearKind kind) {
  RandomModels models(3);
  ModelDescription model = models.Next();
  while (model.gear_kind != kind) {
    model = models.Next();
  }
  return model;
}

std::string Write(const ModelDescription& model, bool wide) {
  return VALUE(WriteHostModel(model, AsBytes("graph"), AsBytes("weights"), wide));
}

// Without MODEL_INOUT_INFO, as files before CANN 7.0.
std::string ModelDefOnly(const std::string& file) {
  const OmFile parsed = VALUE(OmFile::Parse(AsBytes(file)));
  const std::vector<Partition> partitions(parsed.partitions().begin() + 1,
                                          parsed.partitions().end());
  return VALUE(WriteOm(parsed.header(), partitions, parsed.has_wide_tables()));
}

std::string Version1(std::string file) {
  std::memcpy(file.data() + 8, &kVersion1, sizeof(kVersion1));
  file.replace(156, 20, std::string(20, '\0'));
  return file;
}

std::map<std::string, std::string> Corpus() {
  const std::string batch = Write(SmallBatchModel(), true);
  return {{"batch_wide.om", batch},
          {"dims_small.om", Write(ModelOfKind(GearKind::kDims), false)},
          {"image_model_def.om", ModelDefOnly(Write(ModelOfKind(GearKind::kImage), true))},
          {"fixed_v1.om", Version1(ModelDefOnly(Write(ModelOfKind(GearKind::kNone), false)))},
          {"batch_model_def.om", ModelDefOnly(batch)},
          {"two_models.om", JoinModels({batch, batch})},
          {"bundle.om", BundleOf({batch, ModelDefOnly(batch)}, 4096)},
          {"flat.om2", Om2Of(kManifest, kFlatMeta)},
          {"nested_64.om2", ZipOf({{"manifest.json", kManifest, true},
                                   {"data/model_0/model_meta.json", kNestedMeta, false}},
                                  ZipForm::k64)},
          {"model_meta.json", kFlatMeta}};
}

void CheckModels(std::span<const std::byte> bytes) {
  const OmFile file = VALUE(OmFile::Parse(bytes));
  for (size_t model = 0; model < file.model_count(); ++model) {
    REQUIRE_OK(DescribeModel(file, model));
  }
}

// Every file of the corpus is one that its reader takes, so mutations start from sound files.
TEST_CASE("the corpus of om_fuzz is sound", "[corpus]") {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Folder())) {
    CAPTURE(entry.path().string());
    const std::string text = VALUE(ReadFile(entry.path().string()));
    const std::span<const std::byte> bytes = AsBytes(text);
    CHECK(bytes.size() < 10240);
    switch (KindOf(bytes)) {
      case FileKind::kOm:
        CheckModels(bytes);
        break;
      case FileKind::kBundle:
        for (const std::span<const std::byte> model : VALUE(ParseBundle(bytes)).models) {
          CheckModels(model);
        }
        break;
      case FileKind::kOm2:
        REQUIRE_OK(DescribeModel(VALUE(Om2File::Parse(bytes))));
        break;
      case FileKind::kOther:
        REQUIRE_OK(DescribeModelMeta(text, "atc --input_shape=x:-1,3"));
        break;
    }
    ++files;
  }
  CHECK(files == Corpus().size());
}

// Not run by default: writes the corpus into the source folder.
TEST_CASE("write the corpus of om_fuzz", "[.][write_corpus]") {
  for (const auto& [name, bytes] : Corpus()) {
    REQUIRE_OK(WriteFileAtomically(Folder() + name, bytes));
  }
}

}  // namespace
}  // namespace omserve::om
