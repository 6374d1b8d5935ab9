// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/hostacl/model_files.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "runtime/base/file.h"
#include "runtime/om/model_description.h"
#include "tests/status_test_util.h"
#include "tests/tools/omc/onnx_builder.h"
#include "tools/omc/compile.h"

namespace omserve::hostacl {
namespace {

constexpr char kImageModel[] = "doubling_image";

absl::StatusOr<std::string> CompileOnnx(const std::string& onnx, const std::string& name,
                                        const omc::GearFlags& gears) {
  omc::CompileOptions options;
  options.model_path = WriteTextFile(name + ".onnx", onnx);
  options.name = name;
  options.gears = gears;
  options.ort_library = kOrtLibrary;
  ASSIGN_OR_RETURN(omc::CompiledModel compiled, omc::Compile(options));
  return std::move(compiled.file);
}

// x + x with every dim open.
std::string DoublingOnnx(size_t rank) {
  const std::vector<omc::OnnxDim> dims(rank);
  return omc::OnnxBuilder()
      .Input("x", omc::kOnnxFloat, dims)
      .Output("y", omc::kOnnxFloat, dims)
      .Node("double", "Add", {"x", "x"}, {"y"})
      .Build();
}

std::span<const std::byte> AsBytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// omc has no flag for image gears.
absl::StatusOr<std::string> CompileImageModel() {
  om::ModelDescription model;
  model.name = kImageModel;
  om::IoDescription io;
  io.acl_data_type = ACL_FLOAT;
  io.acl_format = ACL_FORMAT_NCHW;
  io.size_bytes = 8 * 8 * sizeof(float);
  io.name = "x";
  io.dims = {1, 1, -1, -1};
  model.inputs.push_back(io);
  io.name = "double:0:y";
  io.dims = {1, 1, 8, 8};
  model.outputs.push_back(io);
  model.gear_kind = om::GearKind::kImage;
  model.gears = {{{4, 6}, {{1, 1, 4, 6}}}, {{8, 8}, {{1, 1, 8, 8}}}};
  model.work_bytes = 4096;
  return om::WriteHostModel(model, AsBytes(DoublingOnnx(4)), {});
}

// The model of this name: read, or compiled once in a process.
std::string Once(const std::string& name) {
  static std::map<std::string, std::string> models;
  if (const auto found = models.find(name); found != models.end()) {
    return found->second;
  }
  if (const std::string& dir = Target().model_dir; !dir.empty()) {
    return models[name] = VALUE(ReadFile(dir + "/" + name + ".om"));
  }
  const std::vector<ModelSource> sources = ModelSources();
  const auto source = std::find_if(sources.begin(), sources.end(),
                                   [&name](const ModelSource& one) { return one.name == name; });
  REQUIRE(source != sources.end());
  return models[name] = VALUE(CompileForHost(*source));
}

}  // namespace

std::vector<ModelSource> ModelSources() {
  return {
      {"linear_static", omc::LinearModel(), {.input_shape = "x:2,3"}, R"(--input_shape="x:2,3")"},
      {"linear_batch",
       omc::LinearModel(),
       {.batch_gears = "1,2,4"},
       R"(--input_shape="x:-1,3" --dynamic_batch_size="1,2,4")"},
      {"linear_dynamic",
       omc::LinearModel(),
       {.dynamic_shape = "x:1~8,3"},
       R"(--input_shape="x:1~8,3")"},
      {"doubling_dims",
       DoublingOnnx(2),
       {.dims_gears = "1,16;8,16;8,32"},
       R"(--input_format=ND --input_shape="x:-1,-1" --dynamic_dims="1,16;8,16;8,32")"},
      {kImageModel,
       DoublingOnnx(4),
       {},
       R"(--input_format=NCHW --input_shape="x:1,1,-1,-1" --dynamic_image_size="4,6;8,8")"}};
}

absl::StatusOr<std::string> CompileForHost(const ModelSource& source) {
  return source.name == kImageModel ? CompileImageModel()
                                    : CompileOnnx(source.onnx, source.name, source.gears);
}

std::string StaticLinearModel() { return Once("linear_static"); }
std::string BatchLinearModel() { return Once("linear_batch"); }
std::string DynamicLinearModel() { return Once("linear_dynamic"); }
std::string DimsModel() { return Once("doubling_dims"); }
std::string ImageModel() { return Once(kImageModel); }

std::string PositionsModel() {
  const std::string onnx = omc::OnnxBuilder()
                               .Input("x", omc::kOnnxFloat, {{-1, ""}})
                               .Output("at", omc::kOnnxInt64, {{1, ""}, {-1, ""}})
                               .Node("find", "NonZero", {"x"}, {"at"})
                               .Build();
  return VALUE(CompileOnnx(onnx, "positions", {.dynamic_shape = "x:-1"}));
}

std::string GatherModel() {
  const std::string onnx =
      omc::OnnxBuilder()
          .Input("index", omc::kOnnxInt64, {{1, ""}})
          .Output("y", omc::kOnnxFloat, {{1, ""}})
          .Node("pick", "Gather", {"table", "index"}, {"y"})
          .Initializer("table", omc::kOnnxFloat, {4}, omc::FloatBytes({10, 20, 30, 40}))
          .Build();
  return VALUE(CompileOnnx(onnx, "gather", {}));
}

std::string ForeignModel(const std::string& soc_version) {
  omc::CompileOptions options;
  options.model_path = WriteTextFile("foreign.onnx", omc::LinearModel());
  options.gears.input_shape = "x:2,3";
  options.ort_library = kOrtLibrary;
  om::ModelDescription description = VALUE(omc::Compile(options)).description;
  description.soc_version = soc_version;
  return VALUE(om::WriteHostModel(description, AsBytes("no graph of ours"), {}));
}

std::vector<float> LinearAnswer(const std::vector<float>& x) {
  constexpr size_t kColumns = 128;
  std::vector<float> y(x.size() / 3 * kColumns);
  for (size_t row = 0; row < x.size() / 3; ++row) {
    for (size_t column = 0; column < kColumns; ++column) {
      float sum = 0.5F;
      for (size_t k = 0; k < 3; ++k) {
        sum += x[row * 3 + k] * static_cast<float>(k * kColumns + column);
      }
      y[row * kColumns + column] = sum;
    }
  }
  return y;
}

TestDataset::TestDataset(const std::vector<Entry>& entries) : dataset_(ACL(aclmdlCreateDataset)()) {
  REQUIRE(dataset_ != nullptr);
  for (const Entry& entry : entries) {
    aclDataBuffer* buffer = ACL(aclCreateDataBuffer)(entry.address, entry.size_bytes);
    REQUIRE_ACL(ACL(aclmdlAddDatasetBuffer)(dataset_, buffer));
  }
}

TestDataset::~TestDataset() {
  for (size_t i = 0; i < ACL(aclmdlGetDatasetNumBuffers)(dataset_); ++i) {
    ACL(aclDestroyDataBuffer)(ACL(aclmdlGetDatasetBuffer)(dataset_, i));
  }
  ACL(aclmdlDestroyDataset)(dataset_);
}

LoadedModel::LoadedModel(const std::string& file) {
  REQUIRE_ACL(ACL(aclmdlLoadFromMem)(file.data(), file.size(), &id_));
}

LoadedModel::~LoadedModel() {
  if (desc_ != nullptr) {
    ACL(aclmdlDestroyDesc)(desc_);
  }
  ACL(aclmdlUnload)(id_);
}

aclmdlDesc* LoadedModel::desc() {
  if (desc_ == nullptr) {
    desc_ = ACL(aclmdlCreateDesc)();
    REQUIRE_ACL(ACL(aclmdlGetDesc)(desc_, id_));
  }
  return desc_;
}

}  // namespace omserve::hostacl
