// SPDX-License-Identifier: Apache-2.0
#include <span>
#include <utility>

#include "runtime/acl/shortage.h"
#include "runtime/base/errors.h"
#include "runtime/om/model_description.h"
#include "runtime/om/om_file.h"
#include "runtime/registry/registry.h"

namespace omserve::registry {
namespace {

std::string NameOf(const LoadedSubgraph::Options& options) {
  return fmt::format("model '{}' version {} ('{}')", options.name, options.version,
                     options.file->path());
}

// All inputs at their largest gear; 0 when the file is one that only the device can read.
size_t InputBytes(std::span<const std::byte> file) {
  const absl::StatusOr<om::OmFile> om = om::OmFile::Parse(file);
  if (!om.ok()) {
    return 0;
  }
  const absl::StatusOr<om::ModelDescription> description = om::DescribeModel(*om);
  size_t bytes = 0;
  for (size_t i = 0; description.ok() && i < description->inputs.size(); ++i) {
    bytes += description->inputs[i].size_bytes;
  }
  return bytes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LoadedSubgraph>> LoadedSubgraph::Load(const acl::Device& device,
                                                                     const Options& options) {
  const std::string context = NameOf(options);
  if (options.instance_count < 1) {
    return InvalidArgument("{}: instance count {}: expected 1 or more", context,
                           options.instance_count);
  }
  // The constructor is private, which std::make_unique cannot reach.
  std::unique_ptr<LoadedSubgraph> subgraph(new LoadedSubgraph(options));
  const absl::Status loaded = subgraph->LoadInstances(device);
  if (!loaded.ok()) {
    return WithContext(loaded, context);
  }
  return subgraph;
}

absl::Status LoadedSubgraph::CheckNeeds(const acl::Device& device, std::span<const std::byte> om) {
  ASSIGN_OR_RETURN(const acl::ModelSizes sizes, acl::QueryModelSizes(device, om));
  const auto instances = static_cast<size_t>(options_.instance_count);
  const size_t slots = instances * static_cast<size_t>(options_.batches_per_instance);
  const size_t input_bytes = InputBytes(om);
  needs_ = {.weights = sizes.weight_bytes,
            .work = instances * sizes.work_bytes,
            .inputs = slots * input_bytes};
  const absl::StatusOr<acl::Device::Memory> memory = device.memory();
  if (!memory.ok() || needs_.total() <= memory->free_bytes) {
    return absl::OkStatus();
  }
  const absl::Status refused = ResourceExhausted(
      "it needs {} bytes of device memory: weights {}, work memory {} x {}, input buffers {} x {}; "
      "device {} has {} of {} bytes free; lower instance_group.count, max_batch_size or "
      "scheduler.in_flight_per_instance, or serve fewer models",
      needs_.total(), sizes.weight_bytes, instances, sizes.work_bytes, slots, input_bytes,
      device.id(), memory->free_bytes, memory->total_bytes);
  return acl::WithShortage(
      refused, {.device = device.id(), .missing_bytes = needs_.total() - memory->free_bytes});
}

absl::Status LoadedSubgraph::LoadInstances(const acl::Device& device) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const FileBytes> bytes, options_.file->Read());
  const std::span<const std::byte> om = bytes->span();
  RETURN_IF_ERROR(CheckNeeds(device, om));
  ASSIGN_OR_RETURN(weights_, acl::SharedWeights::Allocate(device, om));
  for (int i = 0; i < options_.instance_count; ++i) {
    absl::StatusOr<std::unique_ptr<acl::Model>> instance = acl::Model::Load(device, om, weights_);
    if (!instance.ok()) {
      return WithContext(instance.status(),
                         fmt::format("instance {} of {}", i + 1, options_.instance_count));
    }
    instances_.push_back(std::move(instance).value());
  }
  return absl::OkStatus();
}

absl::Status LoadedSubgraph::Reload(const acl::Device& device, size_t index) {
  instances_[index].reset();
  const absl::Status loaded = ReloadInstance(device, index);
  return loaded.ok() ? loaded : WithContext(loaded, NameOf(options_));
}

absl::Status LoadedSubgraph::ReloadInstance(const acl::Device& device, size_t index) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const FileBytes> bytes, options_.file->Read());
  if (!weights_->valid()) {
    ASSIGN_OR_RETURN(weights_, acl::SharedWeights::Allocate(device, bytes->span()));
  }
  ASSIGN_OR_RETURN(instances_[index], acl::Model::Load(device, bytes->span(), weights_));
  return absl::OkStatus();
}

}  // namespace omserve::registry
