// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/registry/registry.h"

namespace omserve::registry {
namespace {

std::string NameOf(const LoadedSubgraph::Options& options) {
  return fmt::format("model '{}' version {} ('{}')", options.name, options.version, options.path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<LoadedSubgraph>> LoadedSubgraph::Load(const acl::Device& device,
                                                                     const Options& options) {
  const std::string context = NameOf(options);
  if (options.instance_count < 1) {
    return InvalidArgument("{}: instance count {}: expected 1 or more", context,
                           options.instance_count);
  }
  absl::StatusOr<MappedFile> file = MappedFile::Open(options.path);
  if (!file.ok()) {
    return WithContext(file.status(), context);
  }
  // The constructor is private, which std::make_unique cannot reach.
  std::unique_ptr<LoadedSubgraph> subgraph(new LoadedSubgraph(options, std::move(file).value()));
  const absl::Status loaded = subgraph->LoadInstances(device);
  if (!loaded.ok()) {
    return WithContext(loaded, context);
  }
  return subgraph;
}

absl::Status LoadedSubgraph::LoadInstances(const acl::Device& device) {
  ASSIGN_OR_RETURN(weights_, acl::SharedWeights::Allocate(device, file_.bytes()));
  for (int i = 0; i < options_.instance_count; ++i) {
    absl::StatusOr<std::unique_ptr<acl::Model>> instance =
        acl::Model::Load(device, file_.bytes(), weights_);
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
  if (!weights_->valid()) {
    absl::StatusOr<std::shared_ptr<const acl::SharedWeights>> weights =
        acl::SharedWeights::Allocate(device, file_.bytes());
    if (!weights.ok()) {
      return WithContext(weights.status(), NameOf(options_));
    }
    weights_ = *std::move(weights);
  }
  absl::StatusOr<std::unique_ptr<acl::Model>> instance =
      acl::Model::Load(device, file_.bytes(), weights_);
  if (!instance.ok()) {
    return WithContext(instance.status(), NameOf(options_));
  }
  instances_[index] = *std::move(instance);
  return absl::OkStatus();
}

}  // namespace omserve::registry
