// SPDX-License-Identifier: Apache-2.0
#include "scheduler/nested_steps.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "runtime/base/errors.h"

namespace omserve::scheduler {
namespace {

class Nester final {
 public:
  Nester(const StepSpec& step, const Plan& inner) : step_(step), inner_(inner) {}

  absl::Status CheckMaps() const {
    RETURN_IF_ERROR(CheckMap("input", step_.input_map, inner_.inputs));
    RETURN_IF_ERROR(CheckMap("output", step_.output_map, inner_.outputs));
    for (const int input : inner_.inputs) {
      if (!step_.input_map.contains(NameOf(input))) {
        return InvalidArgument("step '{}': input '{}' is not in its input_map", step_.name,
                               NameOf(input));
      }
    }
    return absl::OkStatus();
  }

  StepSpec StepOf(const PlanNode& node) const {
    StepSpec spec{.name = fmt::format("{}.{}", step_.name, node.name),
                  .subgraph = node.subgraph,
                  .op = node.op,
                  .cache = node.cache,
                  .shares_cache = node.cache != nullptr};
    const std::vector<TensorSpec>& inputs =
        node.on_device() ? node.subgraph->shape.inputs : node.op->inputs();
    const std::vector<TensorSpec>& outputs =
        node.on_device() ? node.subgraph->shape.outputs : node.op->outputs();
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (node.inputs[i] >= 0) {  // Else the server makes it.
        spec.input_map[inputs[i].name] = OuterName(node.inputs[i]);
      }
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      // What is kept in a shared cache is kept for all who share it, whatever one of them reads.
      if (node.outputs[i] >= 0 && (node.cache != nullptr || IsRead(node.outputs[i]))) {
        spec.output_map[outputs[i].name] = OuterName(node.outputs[i]);
      }
    }
    return spec;
  }

 private:
  const std::string& NameOf(int tensor) const {
    return inner_.tensors[static_cast<size_t>(tensor)].name;
  }

  absl::Status CheckMap(std::string_view side, const std::map<std::string, std::string>& map,
                        const std::vector<int>& tensors) const {
    for (const auto& [own, theirs] : map) {
      std::string known;
      bool found = false;
      for (const int tensor : tensors) {
        found = found || NameOf(tensor) == own;
        known += fmt::format("{}'{}'", known.empty() ? "" : ", ", NameOf(tensor));
      }
      if (!found) {
        return InvalidArgument("step '{}': {}_map names '{}', but its {}s are {}", step_.name, side,
                               own, side, known);
      }
    }
    return absl::OkStatus();
  }

  // Null when the step maps it to no tensor of the outer pipeline.
  const std::string* Mapped(int tensor) const {
    const bool is_input = inner_.tensors[static_cast<size_t>(tensor)].producer < 0;
    const bool is_output =
        std::find(inner_.outputs.begin(), inner_.outputs.end(), tensor) != inner_.outputs.end();
    if (!is_input && !is_output) {
      return nullptr;
    }
    const auto& map = is_input ? step_.input_map : step_.output_map;
    const auto found = map.find(NameOf(tensor));
    return found == map.end() ? nullptr : &found->second;
  }

  std::string OuterName(int tensor) const {
    const std::string* mapped = Mapped(tensor);
    return mapped != nullptr ? *mapped : fmt::format("{}.{}", step_.name, NameOf(tensor));
  }

  // By another step inside, or by somebody outside.
  bool IsRead(int tensor) const {
    return Mapped(tensor) != nullptr ||
           std::any_of(inner_.nodes.begin(), inner_.nodes.end(), [tensor](const PlanNode& node) {
             return std::find(node.inputs.begin(), node.inputs.end(), tensor) != node.inputs.end();
           });
  }

  const StepSpec& step_;
  const Plan& inner_;
};

}  // namespace

absl::Status AddNestedSteps(const StepSpec& step, const Plan& inner, std::vector<StepSpec>& steps) {
  const Nester nester(step, inner);
  RETURN_IF_ERROR(nester.CheckMaps());
  if (const size_t all = steps.size() + inner.nodes.size(); all > kMostNestedSteps) {
    return InvalidArgument(
        "step '{}': with the {} steps of pipeline '{}' there are {}, of at most {}; nest less",
        step.name, inner.nodes.size(), inner.name, all, kMostNestedSteps);
  }
  for (const PlanNode& node : inner.nodes) {
    steps.push_back(nester.StepOf(node));
  }
  return absl::OkStatus();
}

}  // namespace omserve::scheduler
