// SPDX-License-Identifier: Apache-2.0
// The model repository on disk, and subgraphs loaded from it.
//
//   <repository>/<model>/config.yaml | config.pbtxt   (read by config/, not here)
//   <repository>/<model>/<version>/model.om
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/acl/model.h"
#include "runtime/registry/model_file.h"

namespace omserve::registry {

// A model's folder as found. `versions` ascend; folders that are not whole numbers above 0 without
// leading zeros are passed over.
struct ModelFolder {
  std::string name;
  std::string path;
  std::vector<int64_t> versions;
};

// Where a version has `file`.
std::string VersionPath(const ModelFolder& folder, int64_t version, const std::string& file);

// All model folders, sorted by name. Hidden folders and plain files are passed over. Errors:
// kNotFound when the repository is not a folder; kInvalidArgument when a model name stands in two
// repositories; kUnavailable when a folder cannot be read. Blocks on the disk.
absl::StatusOr<std::vector<ModelFolder>> ScanRepositories(
    const std::vector<std::string>& repositories);

// One model's folder; nullopt where no repository has it. Errors: as ScanRepositories, of this
// model alone. Blocks on the disk.
absl::StatusOr<std::optional<ModelFolder>> FindModel(const std::vector<std::string>& repositories,
                                                     const std::string& name);

// A folder that has only just been made: its versions are read. Errors: kUnavailable when it cannot
// be read. Blocks on the disk.
absl::StatusOr<ModelFolder> ReadModelFolder(const std::string& name, const std::string& path);

// Changes whenever a file of the model is added, removed, replaced or written to; by names, sizes
// and times, not contents. With a `version`: but for files of the others. Hidden files and folders
// are passed over. Errors: kUnavailable when it cannot be read. Blocks on the disk.
absl::StatusOr<std::string> Fingerprint(const ModelFolder& folder,
                                        std::optional<int64_t> version = std::nullopt);

// Device memory that a subgraph takes, by part, in bytes; what its batches put out stands in the
// device pool and is not among it.
struct MemoryNeeds {
  size_t weights = 0;  // Once.
  size_t work = 0;     // Of all instances.
  size_t inputs = 0;   // Buffers of all batches that its instances can have in flight.

  size_t total() const { return weights + work + inputs; }
};

// One version of a subgraph on one device: its file, one copy of the weights, and its instances.
// Thread-compatible; the instances are then used by the device thread alone.
class LoadedSubgraph final {
 public:
  struct Options {
    std::string name;
    int64_t version = 1;
    std::shared_ptr<const ModelFile> file;  // The .om.
    int instance_count = 1;
    // For how many batches in flight each instance will have input buffers.
    int batches_per_instance = 0;
  };
  // Blocks while the model loads, on a thread bound to `device`, which outlives the result. Errors
  // carry the model, version and path in front: ModelFile::Read's, kInvalidArgument for an instance
  // count below 1 and for a file that the device refuses, kResourceExhausted when memory does not
  // suffice: before anything is loaded, with the numbers (acl::ShortageOf too), as far as the file
  // tells what it takes. A failed load leaves no device memory behind.
  static absl::StatusOr<std::unique_ptr<LoadedSubgraph>> Load(const acl::Device& device,
                                                              const Options& options);

  // Drops instance `index` and loads it again from the same file, for when its device or stream
  // came to grief; the others are not touched. After Device::Abandon every instance has to be. The
  // address of the instance changes. Nothing of it may be in flight. Errors: as Load; the instance
  // is then null until a later call succeeds.
  absl::Status Reload(const acl::Device& device, size_t index);

  const std::string& name() const { return options_.name; }
  int64_t version() const { return options_.version; }
  const acl::ModelInfo& info() const { return instances_.front()->info(); }
  size_t weight_bytes() const { return instances_.front()->weight_bytes(); }
  const MemoryNeeds& needs() const { return needs_; }
  const ModelFile& file() const { return *options_.file; }
  std::vector<std::unique_ptr<acl::Model>>& instances() { return instances_; }
  const std::vector<std::unique_ptr<acl::Model>>& instances() const { return instances_; }

 private:
  explicit LoadedSubgraph(Options options) : options_(std::move(options)) {}
  absl::Status LoadInstances(const acl::Device& device);
  absl::Status CheckNeeds(const acl::Device& device, std::span<const std::byte> om);
  absl::Status ReloadInstance(const acl::Device& device, size_t index);

  Options options_;
  MemoryNeeds needs_;
  std::shared_ptr<const acl::SharedWeights> weights_;
  std::vector<std::unique_ptr<acl::Model>> instances_;
};

}  // namespace omserve::registry
