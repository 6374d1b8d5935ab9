// SPDX-License-Identifier: Apache-2.0
#include "scheduler/plan.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "runtime/base/check.h"
#include "runtime/base/errors.h"

namespace omserve::scheduler {
namespace {

const std::vector<TensorSpec>& InputsOf(const StepSpec& step) {
  return step.subgraph != nullptr ? step.subgraph->shape.inputs : step.op->inputs();
}
const std::vector<TensorSpec>& OutputsOf(const StepSpec& step) {
  return step.subgraph != nullptr ? step.subgraph->shape.outputs : step.op->outputs();
}

// Made by the server for every batch: no request brings it, and no step makes it.
bool IsServerMade(const StepSpec& step, size_t input) {
  return step.subgraph != nullptr && step.subgraph->sequence.has_value() &&
         step.subgraph->sequence->MakesInput(static_cast<int>(input));
}

// Equal sizes, or one side open.
bool DimsFit(const Dims& a, const Dims& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(),
                    [](int64_t x, int64_t y) { return x == y || x == -1 || y == -1; });
}

std::string NameList(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) {
    text += (text.empty() ? "'" : ", '") + spec.name + "'";
  }
  return text;
}

const TensorSpec* FindSpec(const std::vector<TensorSpec>& specs, std::string_view name) {
  const auto found = std::find_if(specs.begin(), specs.end(),
                                  [name](const TensorSpec& spec) { return spec.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

void InsertSorted(std::vector<int>& list, int value) {
  const auto at = std::lower_bound(list.begin(), list.end(), value);
  if (at == list.end() || *at != value) {
    list.insert(at, value);
  }
}

// Builds one plan; every method adds to it or says what is wrong.
class Builder final {
 public:
  explicit Builder(const PipelineSpec& spec) : spec_(spec) {}

  absl::StatusOr<std::shared_ptr<const Plan>> Build() {
    plan_->name = spec_.name;
    plan_->version = spec_.version;
    if (spec_.steps.empty()) {
      return Error("it has no step");
    }
    RETURN_IF_ERROR(CheckMaps());
    RETURN_IF_ERROR(AddProducedTensors());
    RETURN_IF_ERROR(OrderSteps());
    for (const size_t step : order_) {
      RETURN_IF_ERROR(AddNode(spec_.steps[step]));
    }
    RETURN_IF_ERROR(CollectOutputs());
    RETURN_IF_ERROR(CheckDeclaredInputs());
    RETURN_IF_ERROR(FinishBatching());
    PlaceInArena(*plan_);
    return std::shared_ptr<const Plan>(std::move(plan_));
  }

 private:
  template <typename... Args>
  absl::Status Error(fmt::format_string<Args...> text, Args&&... args) const {
    return InvalidArgument("pipeline '{}': {}", spec_.name,
                           fmt::format(text, std::forward<Args>(args)...));
  }

  // Every name in a map is one of the step's own; every input is mapped; step names are unique.
  absl::Status CheckMaps() const {
    std::set<std::string_view> names;
    for (const StepSpec& step : spec_.steps) {
      if (!names.insert(step.name).second) {
        return Error("two steps are named '{}'", step.name);
      }
      for (const auto& [own, theirs] : step.input_map) {
        if (FindSpec(InputsOf(step), own) == nullptr) {
          return Error("step '{}': input_map names '{}', but its inputs are {}", step.name, own,
                       NameList(InputsOf(step)));
        }
      }
      for (const auto& [own, theirs] : step.output_map) {
        if (FindSpec(OutputsOf(step), own) == nullptr) {
          return Error("step '{}': output_map names '{}', but its outputs are {}", step.name, own,
                       NameList(OutputsOf(step)));
        }
      }
      if (spec_.steps.size() > 1 && step.subgraph != nullptr &&
          step.subgraph->sequence.has_value()) {
        return Error(
            "step '{}': model '{}' keeps state between requests (sequence_batching) and is called "
            "alone, not as a step",
            step.name, step.subgraph->name);
      }
      for (size_t i = 0; i < InputsOf(step).size(); ++i) {
        const std::string& input = InputsOf(step)[i].name;
        if (!step.input_map.contains(input) && !IsServerMade(step, i)) {
          return Error("step '{}': input '{}' is not in its input_map", step.name, input);
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddProducedTensors() {
    for (size_t s = 0; s < spec_.steps.size(); ++s) {
      for (const auto& [own, theirs] : spec_.steps[s].output_map) {
        const auto [at, added] = maker_.try_emplace(theirs, s);
        if (!added) {
          return Error("tensor '{}' is made by step '{}' and by step '{}'", theirs,
                       spec_.steps[at->second].name, spec_.steps[s].name);
        }
      }
    }
    return absl::OkStatus();
  }

  // Kahn's algorithm; among steps that are free, the first in the configuration goes first.
  absl::Status OrderSteps() {
    std::vector<bool> placed(spec_.steps.size(), false);
    while (order_.size() < spec_.steps.size()) {
      bool found = false;
      for (size_t s = 0; s < spec_.steps.size() && !found; ++s) {
        if (!placed[s] && MakersPlaced(spec_.steps[s], placed)) {
          placed[s] = true;
          order_.push_back(s);
          found = true;
        }
      }
      if (!found) {
        return Error("step '{}' waits for its own result: the steps form a cycle",
                     spec_.steps[StepInCycle(placed)].name);
      }
    }
    return absl::OkStatus();
  }

  // From any step that could not be placed, back along what it waits for: the first step that is
  // met twice is in a cycle, where the one begun with may only depend on it.
  size_t StepInCycle(const std::vector<bool>& placed) const {
    size_t step =
        static_cast<size_t>(std::find(placed.begin(), placed.end(), false) - placed.begin());
    std::set<size_t> met;
    while (met.insert(step).second) {
      for (const auto& [own, theirs] : spec_.steps[step].input_map) {
        const auto maker = maker_.find(theirs);
        if (maker != maker_.end() && !placed[maker->second]) {
          step = maker->second;
          break;
        }
      }
    }
    return step;
  }

  bool MakersPlaced(const StepSpec& step, const std::vector<bool>& placed) const {
    return std::all_of(step.input_map.begin(), step.input_map.end(), [&](const auto& entry) {
      const auto maker = maker_.find(entry.second);
      return maker == maker_.end() || placed[maker->second];
    });
  }

  absl::Status AddNode(const StepSpec& step) {
    const int index = static_cast<int>(plan_->nodes.size());
    PlanNode node{.name = step.name,
                  .subgraph = step.subgraph,
                  .op = step.op,
                  .is_cached = step.cache != nullptr,
                  .cache = step.cache};
    for (size_t i = 0; i < InputsOf(step).size(); ++i) {
      if (IsServerMade(step, i)) {
        node.inputs.push_back(-1);
        continue;
      }
      ASSIGN_OR_RETURN(const int tensor, Read(step, InputsOf(step)[i]));
      const int producer = plan_->tensors[static_cast<size_t>(tensor)].producer;
      if (producer >= 0) {
        InsertSorted(node.producers, producer);
        InsertSorted(plan_->nodes[static_cast<size_t>(producer)].consumers, index);
      }
      node.inputs.push_back(tensor);
    }
    if (absl::Status can_cache = CheckCache(node); !can_cache.ok()) {
      if (!step.shares_cache) {
        return can_cache;
      }
      node.is_cached = false;
      node.cache = nullptr;
    }
    const std::vector<TensorSpec>& outputs = OutputsOf(step);
    for (size_t i = 0; i < outputs.size(); ++i) {
      const auto mapped = step.output_map.find(outputs[i].name);
      if (mapped == step.output_map.end()) {
        node.outputs.push_back(-1);
        continue;
      }
      node.outputs.push_back(AddTensor({.name = mapped->second,
                                        .spec = outputs[i],
                                        .producer = index,
                                        .producer_output = static_cast<int>(i),
                                        .needed_on_host = node.is_cached}));
    }
    plan_->nodes.push_back(std::move(node));
    return absl::OkStatus();
  }

  absl::Status CheckCache(const PlanNode& node) const {
    if (!node.is_cached) {
      return absl::OkStatus();
    }
    if (!node.on_device()) {
      return Error("step '{}': only the outputs of a model can be cached", node.name);
    }
    for (const int producer : node.producers) {
      const PlanNode& from = plan_->nodes[static_cast<size_t>(producer)];
      if (from.on_device() && !from.is_cached) {
        return Error(
            "step '{}' cannot be cached: it reads what step '{}' makes, which stays on the device; "
            "cache that step too",
            node.name, from.name);
      }
    }
    return absl::OkStatus();
  }

  int AddTensor(PlanTensor tensor) {
    const int index = static_cast<int>(plan_->tensors.size());
    tensor_by_name_[tensor.name] = index;
    plan_->tensors.push_back(std::move(tensor));
    read_.push_back(false);
    return index;
  }

  // The tensor that `step` reads as its `input`; an input of the request when nobody makes it.
  absl::StatusOr<int> Read(const StepSpec& step, const TensorSpec& input) {
    const std::string& name = step.input_map.at(input.name);
    const auto known = tensor_by_name_.find(name);
    if (known == tensor_by_name_.end()) {
      const int added = AddTensor({.name = name, .spec = {name, input.type, input.dims}});
      plan_->inputs.push_back(added);
      read_[static_cast<size_t>(added)] = true;
      return added;
    }
    PlanTensor& tensor = plan_->tensors[static_cast<size_t>(known->second)];
    if (tensor.spec.type != input.type || !DimsFit(tensor.spec.dims, input.dims)) {
      return Error("step '{}': input '{}' is {} {} per row, but tensor '{}' is {} {}", step.name,
                   input.name, DataTypeName(input.type), DimsToString(input.dims), name,
                   DataTypeName(tensor.spec.type), DimsToString(tensor.spec.dims));
    }
    if (tensor.producer < 0) {  // Two steps read it: what either fixes is fixed.
      for (size_t d = 0; d < input.dims.size(); ++d) {
        tensor.spec.dims[d] = std::max(tensor.spec.dims[d], input.dims[d]);
      }
    }
    if (step.op != nullptr) {
      tensor.needed_on_host = true;
    }
    read_[static_cast<size_t>(known->second)] = true;
    return known->second;
  }

  absl::Status CollectOutputs() {
    if (spec_.outputs.empty()) {
      for (size_t t = 0; t < plan_->tensors.size(); ++t) {
        if (!read_[t]) {
          plan_->outputs.push_back(static_cast<int>(t));
        }
      }
    }
    for (const TensorSpec& declared : spec_.outputs) {
      const auto known = tensor_by_name_.find(declared.name);
      if (known == tensor_by_name_.end()) {
        return Error("output '{}' is made by no step", declared.name);
      }
      const PlanTensor& tensor = plan_->tensors[static_cast<size_t>(known->second)];
      if (tensor.producer < 0) {
        return Error("output '{}' is an input too: a step must make it", declared.name);
      }
      RETURN_IF_ERROR(CheckDeclared("output", declared, tensor));
      if (std::find(plan_->outputs.begin(), plan_->outputs.end(), known->second) !=
          plan_->outputs.end()) {
        return Error("output '{}' is declared twice", declared.name);
      }
      plan_->outputs.push_back(known->second);
    }
    for (const int output : plan_->outputs) {
      plan_->tensors[static_cast<size_t>(output)].needed_on_host = true;
    }
    return absl::OkStatus();
  }

  absl::Status CheckDeclared(std::string_view side, const TensorSpec& declared,
                             const PlanTensor& tensor) const {
    if (declared.type != tensor.spec.type || !DimsFit(declared.dims, tensor.spec.dims)) {
      return Error("{} '{}' is declared {} {}, but its step has {} {}", side, declared.name,
                   DataTypeName(declared.type), DimsToString(declared.dims),
                   DataTypeName(tensor.spec.type), DimsToString(tensor.spec.dims));
    }
    return absl::OkStatus();
  }

  // Declared inputs give the order; all that are read must be among them.
  absl::Status CheckDeclaredInputs() {
    if (spec_.inputs.empty()) {
      return absl::OkStatus();
    }
    std::vector<int> ordered;
    for (const TensorSpec& declared : spec_.inputs) {
      const auto known = tensor_by_name_.find(declared.name);
      if (known == tensor_by_name_.end()) {
        return Error("input '{}' is read by no step", declared.name);
      }
      PlanTensor& tensor = plan_->tensors[static_cast<size_t>(known->second)];
      if (tensor.producer >= 0) {
        return Error("input '{}' is also made by step '{}'", declared.name,
                     plan_->nodes[static_cast<size_t>(tensor.producer)].name);
      }
      RETURN_IF_ERROR(CheckDeclared("input", declared, tensor));
      if (std::find(ordered.begin(), ordered.end(), known->second) != ordered.end()) {
        return Error("input '{}' is declared twice", declared.name);
      }
      ordered.push_back(known->second);
    }
    for (const int input : plan_->inputs) {
      if (std::find(ordered.begin(), ordered.end(), input) == ordered.end()) {
        return Error("tensor '{}' is made by no step and is not an input of the pipeline",
                     plan_->tensors[static_cast<size_t>(input)].name);
      }
    }
    plan_->inputs = std::move(ordered);
    return absl::OkStatus();
  }

  // Host steps work on any number of rows; device steps must agree.
  absl::Status FinishBatching() {
    const PlanNode* first = nullptr;
    plan_->batched = true;
    int max_rows = std::numeric_limits<int>::max();
    for (const PlanNode& node : plan_->nodes) {
      if (!node.on_device()) {
        continue;
      }
      if (first != nullptr && first->subgraph->shape.batched != node.subgraph->shape.batched) {
        return Error("step '{}' batches and step '{}' does not (max_batch_size 0)",
                     first->subgraph->shape.batched ? first->name : node.name,
                     first->subgraph->shape.batched ? node.name : first->name);
      }
      first = first == nullptr ? &node : first;
      plan_->batched = node.subgraph->shape.batched;
      max_rows = std::min(max_rows, node.subgraph->shape.max_rows());
    }
    plan_->max_rows = first == nullptr ? kHostOnlyMaxRows : plan_->batched ? max_rows : 1;
    return absl::OkStatus();
  }

  // A pipeline without a device step has no gear to bound its rows.
  static constexpr int kHostOnlyMaxRows = 64;

  const PipelineSpec& spec_;
  std::shared_ptr<Plan> plan_ = std::make_shared<Plan>();
  std::map<std::string, size_t> maker_;  // Tensor name -> step that makes it.
  std::map<std::string, int> tensor_by_name_;
  std::vector<bool> read_;     // By tensor: some step reads it.
  std::vector<size_t> order_;  // Steps, producers first.
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Plan>> BuildPipeline(const PipelineSpec& spec) {
  return Builder(spec).Build();
}

std::shared_ptr<const Plan> BuildSingle(const Subgraph& subgraph) {
  StepSpec step{.name = subgraph.name, .subgraph = &subgraph};
  PipelineSpec spec{.name = subgraph.name, .version = subgraph.version};
  // The prefixes keep an output apart from an input of the same name.
  for (size_t i = 0; i < subgraph.shape.inputs.size(); ++i) {
    const TensorSpec& input = subgraph.shape.inputs[i];
    if (IsServerMade(step, i)) {
      continue;
    }
    step.input_map[input.name] = "in:" + input.name;
    spec.inputs.push_back({"in:" + input.name, input.type, input.dims});
  }
  for (size_t i = 0; i < subgraph.shape.outputs.size(); ++i) {
    const TensorSpec& output = subgraph.shape.outputs[i];
    if (subgraph.sequence.has_value() && subgraph.sequence->HidesOutput(static_cast<int>(i))) {
      continue;
    }
    step.output_map[output.name] = "out:" + output.name;
    spec.outputs.push_back({"out:" + output.name, output.type, output.dims});
  }
  spec.steps.push_back(std::move(step));
  absl::StatusOr<std::shared_ptr<const Plan>> plan = BuildPipeline(spec);
  OMSERVE_CHECK(plan.ok(), "a subgraph always fits itself");
  Plan named = **plan;
  for (PlanTensor& tensor : named.tensors) {
    tensor.name = tensor.name.substr(tensor.name.find(':') + 1);
    tensor.spec.name = tensor.name;
  }
  return std::make_shared<const Plan>(std::move(named));
}

int Plan::RowsPerBatch(std::span<const int> buckets) const {
  int most = max_rows;
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (nodes[n].on_device()) {
      const std::vector<Bucket>& of = nodes[n].subgraph->shape.buckets;
      most = std::min(most, of[static_cast<size_t>(buckets[n])].max_rows());
    }
  }
  return most;
}

absl::StatusOr<std::vector<int>> Plan::ResolveBuckets(std::span<const Dims> input_row_dims) const {
  OMSERVE_CHECK(input_row_dims.size() == inputs.size(), "every input of a request has dims");
  std::vector<Dims> dims(tensors.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    dims[static_cast<size_t>(inputs[i])] = input_row_dims[i];
  }
  std::vector<int> buckets(nodes.size(), 0);
  for (size_t n = 0; n < nodes.size(); ++n) {
    const PlanNode& node = nodes[n];
    const std::vector<Dims>* output_dims = nullptr;
    std::vector<Dims> declared;
    if (node.on_device()) {
      std::vector<Dims> node_inputs;
      std::string shown;
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        // What the server makes has one size in every bucket.
        const int tensor = node.inputs[i];
        node_inputs.push_back(tensor < 0 ? node.subgraph->shape.inputs[i].dims
                                         : dims[static_cast<size_t>(tensor)]);
        shown += DimsToString(node_inputs.back());
      }
      const std::optional<int> bucket = node.subgraph->shape.FindBucket(node_inputs);
      if (!bucket.has_value()) {
        return InvalidArgument("step '{}': rows of dims {} were not compiled; model '{}' has {}",
                               node.name, shown, node.subgraph->name,
                               node.subgraph->shape.BucketsToString());
      }
      const Bucket& found = node.subgraph->shape.buckets[static_cast<size_t>(*bucket)];
      buckets[n] = *bucket;
      output_dims = &found.output_dims;
    } else {
      for (const TensorSpec& output : node.op->outputs()) {
        declared.push_back(output.dims);
      }
      output_dims = &declared;
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] >= 0) {
        dims[static_cast<size_t>(node.outputs[i])] = (*output_dims)[i];
      }
    }
  }
  return buckets;
}

}  // namespace omserve::scheduler
