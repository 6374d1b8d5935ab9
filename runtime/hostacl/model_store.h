// SPDX-License-Identifier: Apache-2.0
// Loading `.om` files: bytes to a Model, and which models there are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <tuple>

#include "absl/status/statusor.h"
#include "runtime/base/mutex.h"
#include "runtime/hostacl/model.h"

namespace omserve::hostacl {

// The description of a file's (first) model, without loading it. Errors:
// ACL_ERROR_GE_EXEC_MODEL_DATA_SIZE_INVALID for bytes that are no `.om`,
// ACL_ERROR_GE_EXEC_LOAD_MODEL_PARTITION_FAILED for one that says too little.
absl::StatusOr<om::ModelDescription> DescribeFile(std::span<const std::byte> file);

struct LoadRequest {
  std::span<const std::byte> file;  // Needed until Load returns.
  GivenMemory work;
  GivenMemory weights;
  std::shared_ptr<Device> device;
  void* context = nullptr;
  std::shared_ptr<Stream> sync_stream;
};

// Thread-safe.
class ModelStore final {
 public:
  ModelStore(const Settings& settings, const MemoryMap& memory)
      : settings_(settings), memory_(memory) {}

  // Blocks, for seconds with large models. The id is unique in the process and never reused.
  // Errors: as DescribeFile; ACL_ERROR_GE_FAILURE for a file of another chip, naming both;
  // ACL_ERROR_GE_PARAM_INVALID for given memory that is too small or not there;
  // ACL_ERROR_GE_MEMORY_ALLOCATION; ACL_ERROR_RT_NO_STREAM_RESOURCE; as Engine::Load.
  absl::StatusOr<uint32_t> Load(const LoadRequest& request);
  // Errors: as Find; ACL_ERROR_RT_MODEL_CONTEXT from another context than that of the load;
  // ACL_ERROR_GE_UNLOAD_MODEL while it executes.
  absl::Status Unload(uint32_t id, const void* context);
  // ACL_ERROR_GE_EXEC_MODEL_ID_INVALID.
  absl::StatusOr<std::shared_ptr<Model>> Find(uint32_t id) const;
  // Drops the models that were loaded in a context which ends.
  void DropContext(const void* context);
  // Ends the models' own streams and drops the models. Final.
  void Shutdown();

 private:
  // Loads of the same file into the same weight memory are one session: address, size, hash.
  using WeightKey = std::tuple<const void*, size_t, size_t>;
  struct SharedSession {
    Mutex mu;
    std::weak_ptr<const Session> session ABSL_GUARDED_BY(mu);
  };

  absl::StatusOr<Engine*> TheEngine();
  absl::StatusOr<std::shared_ptr<const Session>> MakeSession(const om::OmFile& file,
                                                             const om::ModelDescription& model);
  absl::StatusOr<std::shared_ptr<const Session>> FindOrMakeSession(
      const LoadRequest& request, const om::OmFile& file, const om::ModelDescription& model);
  absl::Status TakeMemory(const LoadRequest& request, const om::ModelDescription& model,
                          std::vector<DeviceAllocation>* owned) const;
  absl::Status TakePart(const LoadRequest& request, const GivenMemory& given, const char* what,
                        uint64_t needed_bytes, std::vector<DeviceAllocation>* owned) const;

  // Constant after construction.
  const Settings settings_;
  const MemoryMap& memory_;

  Mutex engine_mu_;
  std::unique_ptr<Engine> engine_ ABSL_GUARDED_BY(engine_mu_);

  mutable Mutex mu_;
  std::map<uint32_t, std::shared_ptr<Model>> models_ ABSL_GUARDED_BY(mu_);
  std::map<WeightKey, std::shared_ptr<SharedSession>> shared_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::hostacl
