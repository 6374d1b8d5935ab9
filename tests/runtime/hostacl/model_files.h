// SPDX-License-Identifier: Apache-2.0
// Host models for the tests, and a dataset over device buffers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/runtime/hostacl/acl_session.h"
#include "tools/omc/gear_plan.h"

namespace omserve::hostacl {

// What compiles and what checks the models.
inline constexpr char kOrtLibrary[] = OMSERVE_BINARY_DIR "/lib/libonnxruntime.so.1";

// `.om` files, whole: compiled here, or read from Target().model_dir under the names in brackets.
// y [N,128] = x [N,3] * w [3,128] + 0.5, w[i] = i.
std::string StaticLinearModel();  // N = 2. [linear_static.om]
std::string BatchLinearModel();   // Gears 1, 2, 4. [linear_batch.om]
// y = x + x, x [-1,-1], dims gears (1,16), (8,16), (8,32). [doubling_dims.om]
std::string DimsModel();
// y = x + x, x [1,1,-1,-1], image gears (4,6), (8,8). [doubling_image.om]
std::string ImageModel();
// The linear model with N from 1 to 8, of dynamic shape. [linear_dynamic.om]
std::string DynamicLinearModel();
// at [1,K] = the positions of x [N] that are not 0, so that data decide K; N is any size. Always
// compiled here, for the CPU device.
std::string PositionsModel();
// y [1] = table[index], index int64 [1]; an index of 4 and more fails while it runs. Always
// compiled here, for the CPU device.
std::string GatherModel();
// The static linear model as if compiled for another chip.
std::string ForeignModel(const std::string& soc_version);

// What a compiler needs to make those that have a name in brackets.
struct ModelSource {
  std::string name;
  std::string onnx;         // The file's bytes.
  omc::GearFlags gears;     // None: omc has no option for them.
  std::string atc_options;  // As a shell has them.
};
std::vector<ModelSource> ModelSources();
// Errors: as omc::Compile.
absl::StatusOr<std::string> CompileForHost(const ModelSource& source);

// y of the linear model for these rows of x.
std::vector<float> LinearAnswer(const std::vector<float>& x);

// A dataset whose buffers stay those of the vector; destroys descriptors, not memory.
class TestDataset final {
 public:
  struct Entry {
    void* address;
    size_t size_bytes;
  };
  explicit TestDataset(const std::vector<Entry>& entries);
  ~TestDataset();
  TestDataset(const TestDataset&) = delete;
  TestDataset& operator=(const TestDataset&) = delete;
  aclmdlDataset* get() const { return dataset_; }

 private:
  aclmdlDataset* dataset_ = nullptr;
};

inline TestDataset::Entry EntryOf(const DeviceBytes& bytes) {
  return {bytes.get(), bytes.size_bytes()};
}

// A model loaded from memory for the time of a test.
class LoadedModel final {
 public:
  explicit LoadedModel(const std::string& file);
  ~LoadedModel();
  LoadedModel(const LoadedModel&) = delete;
  LoadedModel& operator=(const LoadedModel&) = delete;
  uint32_t id() const { return id_; }
  // aclmdlGetDesc; destroyed with this.
  aclmdlDesc* desc();

 private:
  uint32_t id_ = 0;
  aclmdlDesc* desc_ = nullptr;
};

}  // namespace omserve::hostacl
