// SPDX-License-Identifier: Apache-2.0
#include "server/core/shared_tensors.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/base/errors.h"
#include "server/core/inference.h"

namespace omserve::server {
namespace {

absl::StatusOr<SharedTensors::Tensor> FindOne(const SharedPlace& place, const SharedMemory* memory,
                                              std::string_view what, const std::string& name) {
  if (memory == nullptr) {
    return Unimplemented("{} '{}' is in shared memory; {}", what, name, kNoSharedMemory);
  }
  absl::StatusOr<SharedBytes> found = memory->Find(place);
  if (!found.ok()) {
    return WithContext(found.status(), fmt::format("{} '{}'", what, name));
  }
  return SharedTensors::Tensor{.region = place.region, .place = *std::move(found)};
}

bool IsReadOnHost(const scheduler::PlanNode& node, int tensor) {
  return (!node.on_device() || node.is_cached) &&
         std::find(node.inputs.begin(), node.inputs.end(), tensor) != node.inputs.end();
}

absl::Status PutOne(const SharedTensors::Tensor& to, const std::string& name,
                    SharedMemory::Counts& counts, scheduler::ResponseOutput& output) {
  const std::span<std::byte> place = to.place.bytes;
  if (output.bytes.size() > place.size()) {
    return InvalidArgument(
        "shared memory size specified with the request for output '{}' ({} bytes) should be at "
        "least {} bytes to hold the results",
        name, place.size(), output.bytes.size());
  }
  const bool in_place = output.bytes.data() == place.data();
  if (!in_place && !output.bytes.empty()) {
    std::memcpy(place.data(), output.bytes.data(), output.bytes.size());
  }
  (in_place ? counts.in_place : counts.copied).fetch_add(1, std::memory_order_relaxed);
  output.bytes = {};
  output.owner = nullptr;
  return absl::OkStatus();
}

absl::Status PutAll(const SharedTensors& shared, SharedMemory::Counts& counts,
                    InferResult& result) {
  for (size_t i = 0; i < shared.outputs.size() && i < result.outputs.size(); ++i) {
    if (shared.outputs[i].place.owner != nullptr) {
      scheduler::ResponseOutput& output = result.outputs[i];
      RETURN_IF_ERROR(PutOne(shared.outputs[i],
                             result.model->outputs[static_cast<size_t>(output.output)].name, counts,
                             output));
    }
  }
  for (const std::vector<SharedTensors::Tensor>* tensors : {&shared.inputs, &shared.outputs}) {
    for (const SharedTensors::Tensor& tensor : *tensors) {
      if (tensor.place.owner != nullptr && tensor.place.owner->lost()) {
        return LostRegion(tensor.region);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SharedTensors> FindShared(const InferCall& call, const SharedMemory* memory) {
  SharedTensors shared;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    if (call.inputs[i].shared.has_value()) {
      shared.inputs.resize(call.inputs.size());
      ASSIGN_OR_RETURN(shared.inputs[i],
                       FindOne(*call.inputs[i].shared, memory, "input", call.inputs[i].name));
    }
  }
  for (size_t i = 0; i < call.places.size(); ++i) {
    if (!call.places[i].has_value()) {
      continue;
    }
    if (i < call.classes.size() && call.classes[i] > 0) {
      return InvalidArgument(
          "output '{}': classes are texts, which do not go to shared memory; ask for one of the "
          "two",
          call.outputs[i]);
    }
    shared.outputs.resize(call.outputs.size());
    ASSIGN_OR_RETURN(shared.outputs[i],
                     FindOne(*call.places[i], memory, "output", call.outputs[i]));
  }
  return shared;
}

bool IsForDeviceOnly(const scheduler::Plan& plan, int tensor) {
  const int producer = plan.tensors[static_cast<size_t>(tensor)].producer;
  const bool is_kept = producer >= 0 && plan.nodes[static_cast<size_t>(producer)].is_cached;
  return !is_kept && std::none_of(plan.nodes.begin(), plan.nodes.end(),
                                  [tensor](const scheduler::PlanNode& node) {
                                    return IsReadOnHost(node, tensor);
                                  });
}

void PutShared(const SharedTensors& shared, SharedMemory::Counts& counts, InferResult& result) {
  if (!result.status.ok()) {
    return;
  }
  result.status = PutAll(shared, counts, result);
  if (!result.status.ok()) {
    result.outputs.clear();
  }
}

}  // namespace omserve::server
