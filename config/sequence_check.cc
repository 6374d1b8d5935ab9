// SPDX-License-Identifier: Apache-2.0
// sequence_batching: what it may not say by itself, and what the compiled file must have for it.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "config/model_config.h"
#include "config/model_config_check.h"
#include "config/nearest_name.h"

namespace omserve::config {
namespace {

using inference::ModelConfig;
using inference::ModelSequenceBatching;
using Control = ModelSequenceBatching::Control;

constexpr char kRoot[] = "sequence_batching";

std::string ListPath(const char* list, int index) {
  return FieldPath(kRoot, IndexedPath(list, static_cast<size_t>(index)));
}

std::string ControlPath(int input, int control) {
  return FieldPath(ListPath("control_input", input),
                   IndexedPath("control", static_cast<size_t>(control)));
}

// Where one input of the model is made by the server, and no two say so of the same.
void TakeName(const ModelConfig& config, const std::string& path, const std::string& name,
              std::set<std::string>& taken, Findings& findings) {
  if (name.empty()) {
    findings.Error(path, "expected the name of an input of the model, got nothing");
    return;
  }
  if (!taken.insert(name).second) {
    findings.Error(path, fmt::format("{} is made by the server twice", Quoted(name)));
  }
  for (int i = 0; i < config.input_size(); ++i) {
    if (config.input(i).name() == name) {
      findings.Error(FieldPath(IndexedPath("input", static_cast<size_t>(i)), "name"),
                     fmt::format("{} is made by the server, as sequence_batching says; take it out "
                                 "of the inputs",
                                 Quoted(name)));
    }
  }
}

void CheckControl(const Control& control, const std::string& path, Findings& findings) {
  const int values = (control.int32_false_true_size() > 0 ? 1 : 0) +
                     (control.fp32_false_true_size() > 0 ? 1 : 0) +
                     (control.bool_false_true_size() > 0 ? 1 : 0);
  if (control.kind() == Control::CONTROL_SEQUENCE_CORRID) {
    if (values > 0) {
      findings.Error(path, "CONTROL_SEQUENCE_CORRID has no false and true; set data_type instead");
    }
    switch (control.data_type()) {
      case inference::TYPE_UINT64:
      case inference::TYPE_INT64:
      case inference::TYPE_UINT32:
      case inference::TYPE_INT32:
        break;
      case inference::TYPE_STRING:
        findings.Error(FieldPath(path, "data_type"),
                       "a compiled model takes no strings; write TYPE_UINT64, TYPE_INT64, "
                       "TYPE_UINT32 or TYPE_INT32, and let clients number their sequences");
        break;
      default:
        findings.Error(FieldPath(path, "data_type"),
                       fmt::format("expected TYPE_UINT64, TYPE_INT64, TYPE_UINT32 or TYPE_INT32, "
                                   "got {}",
                                   inference::DataType_Name(control.data_type())));
    }
    return;
  }
  const int size = std::max({control.int32_false_true_size(), control.fp32_false_true_size(),
                             control.bool_false_true_size()});
  if (values != 1 || size != 2) {
    findings.Error(path, fmt::format("{} needs one of int32_false_true, fp32_false_true and "
                                     "bool_false_true, of two values",
                                     Control::Kind_Name(control.kind())));
  }
}

void CheckControls(const ModelConfig& config, std::set<std::string>& taken, Findings& findings) {
  const ModelSequenceBatching& batching = config.sequence_batching();
  std::set<int> kinds;
  for (int i = 0; i < batching.control_input_size(); ++i) {
    const ModelSequenceBatching::ControlInput& input = batching.control_input(i);
    const std::string path = ListPath("control_input", i);
    TakeName(config, FieldPath(path, "name"), input.name(), taken, findings);
    if (input.control_size() != 1) {
      findings.Error(path, fmt::format("input {} carries {} controls, expected one: each has an "
                                       "input of its own",
                                       Quoted(input.name()), input.control_size()));
    }
    for (int c = 0; c < input.control_size(); ++c) {
      CheckControl(input.control(c), ControlPath(i, c), findings);
      if (!kinds.insert(input.control(c).kind()).second) {
        findings.Error(ControlPath(i, c), fmt::format("{} is given twice",
                                                      Control::Kind_Name(input.control(c).kind())));
      }
    }
  }
}

void CheckInitialState(const ModelSequenceBatching::State& state, const std::string& path,
                       Findings& findings) {
  const std::string list = FieldPath(path, "initial_state");
  if (state.initial_state_size() > 1) {
    findings.Error(list, fmt::format("expected one at most, got {}", state.initial_state_size()));
  }
  for (int i = 0; i < state.initial_state_size(); ++i) {
    const ModelSequenceBatching::InitialState& initial = state.initial_state(i);
    const std::string own = IndexedPath(list, static_cast<size_t>(i));
    const std::string& file = initial.data_file();
    if (initial.state_data_case() == ModelSequenceBatching::InitialState::STATE_DATA_NOT_SET ||
        (initial.has_zero_data() && !initial.zero_data())) {
      findings.Error(own, "expected zero_data: true or a data_file");
    }
    if (initial.has_data_file() &&
        (file.empty() || file == "." || file == ".." || file.find('/') != std::string::npos)) {
      findings.Error(FieldPath(own, "data_file"),
                     fmt::format("expected the name of a file in the model's folder initial_state, "
                                 "got {}",
                                 Quoted(file)));
    }
  }
}

void CheckStates(const ModelConfig& config, std::set<std::string>& taken, Findings& findings) {
  const ModelSequenceBatching& batching = config.sequence_batching();
  std::set<std::string> outputs;
  for (int i = 0; i < batching.state_size(); ++i) {
    const ModelSequenceBatching::State& state = batching.state(i);
    const std::string path = ListPath("state", i);
    TakeName(config, FieldPath(path, "input_name"), state.input_name(), taken, findings);
    if (state.output_name().empty()) {
      findings.Error(FieldPath(path, "output_name"),
                     "expected the name of an output of the model, got nothing");
    } else if (!outputs.insert(state.output_name()).second) {
      findings.Error(FieldPath(path, "output_name"),
                     fmt::format("{} is a state twice", Quoted(state.output_name())));
    }
    if (state.use_growable_memory()) {
      findings.Unsupported(FieldPath(path, "use_growable_memory"),
                           "a state has its compiled size, and its memory is reserved at load; "
                           "remove the key");
    }
    CheckInitialState(state, path, findings);
  }
}

void CheckStrategy(const ModelConfig& config, Findings& findings) {
  const ModelSequenceBatching& batching = config.sequence_batching();
  const float utilization = batching.direct().minimum_slot_utilization();
  if (!(utilization >= 0 && utilization <= 1)) {
    findings.Error(FieldPath(kRoot, "direct.minimum_slot_utilization"),
                   fmt::format("expected a share from 0 to 1, got {}", utilization));
  }
  if (batching.has_oldest()) {
    const int candidates = batching.oldest().max_candidate_sequences();
    constexpr int kMost = 1 << 20;
    if (candidates < 1 || candidates > kMost) {
      findings.Error(FieldPath(kRoot, "oldest.max_candidate_sequences"),
                     fmt::format("expected 1 to {}, got {}: it is how many sequences an instance "
                                 "holds at a time",
                                 kMost, candidates));
    }
    if (batching.oldest().preserve_ordering()) {
      findings.Unsupported(FieldPath(kRoot, "oldest.preserve_ordering"),
                           "the requests of one sequence are answered in order in any case; remove "
                           "the key");
    }
  }
}

}  // namespace

void CheckSequenceBatching(const ModelConfig& config, Findings& findings) {
  if (!config.has_sequence_batching()) {
    return;
  }
  if (config.sequence_batching().iterative_sequence()) {
    findings.Unsupported(FieldPath(kRoot, "iterative_sequence"),
                         "a model does not put its request back into the queue; let the client "
                         "send each step of the sequence as a request, and remove the key");
  }
  std::set<std::string> taken;
  CheckControls(config, taken, findings);
  CheckStates(config, taken, findings);
  CheckStrategy(config, findings);
}

void CheckSequenceBatchSizes(const ModelConfig& config, Findings& findings) {
  const auto& oldest = config.sequence_batching().oldest();
  const int most = std::max(1, config.max_batch_size());
  for (int i = 0; i < oldest.preferred_batch_size_size(); ++i) {
    const int size = oldest.preferred_batch_size(i);
    if (size < 1 || size > most) {
      findings.Error(
          FieldPath(kRoot, IndexedPath("oldest.preferred_batch_size", static_cast<size_t>(i))),
          fmt::format("expected 1 to {} (max_batch_size), got {}", most, size));
    }
  }
}

bool IsServerMade(const ModelConfig& config, const std::string& input) {
  const ModelSequenceBatching& batching = config.sequence_batching();
  return std::any_of(batching.control_input().begin(), batching.control_input().end(),
                     [&](const auto& control) { return control.name() == input; }) ||
         std::any_of(batching.state().begin(), batching.state().end(),
                     [&](const auto& state) { return state.input_name() == input; });
}

bool IsStateOutput(const ModelConfig& config, const std::string& output) {
  const auto& states = config.sequence_batching().state();
  return std::any_of(states.begin(), states.end(),
                     [&](const auto& state) { return state.output_name() == output; });
}

namespace {

// Compares with the compiled file, and fills in.
class SequenceCompleter final {
 public:
  SequenceCompleter(ModelConfig& config, const ModelShape& shape, Findings& findings)
      : config_(config),
        batching_(*config.mutable_sequence_batching()),
        shape_(shape),
        findings_(findings) {}

  void Complete() {
    if (batching_.strategy_choice_case() == ModelSequenceBatching::STRATEGY_CHOICE_NOT_SET) {
      batching_.mutable_direct();
    }
    if (batching_.max_sequence_idle_microseconds() == 0) {
      constexpr uint64_t kSecondUs = 1'000'000;
      batching_.set_max_sequence_idle_microseconds(kSecondUs);
    }
    for (int i = 0; i < batching_.control_input_size(); ++i) {
      CheckControlInput(batching_.control_input(i), ListPath("control_input", i));
    }
    for (int i = 0; i < batching_.state_size(); ++i) {
      CompleteState(*batching_.mutable_state(i), ListPath("state", i));
    }
  }

 private:
  const TensorSpec* Find(const std::vector<TensorSpec>& specs, const char* list,
                         const std::string& path, const std::string& name) {
    std::vector<std::string> known;
    for (const TensorSpec& spec : specs) {
      known.push_back(spec.name);
      if (spec.name == name) {
        return &spec;
      }
    }
    findings_.Error(path, fmt::format("{} '{}' is not in the compiled file: {}", list, Shown(name),
                                      UnknownName(name, fmt::format("{}s", list), known)));
    return nullptr;
  }

  Dims RowDims(const TensorSpec& spec) const {
    const bool batched = config_.max_batch_size() > 0 && shape_.has_batch;
    return {spec.dims.begin() + (batched ? 1 : 0), spec.dims.end()};
  }

  static DataType ControlType(const Control& control) {
    if (control.kind() == Control::CONTROL_SEQUENCE_CORRID) {
      return FromConfigType(control.data_type());
    }
    return control.int32_false_true_size() > 0  ? DataType::kInt32
           : control.fp32_false_true_size() > 0 ? DataType::kFp32
                                                : DataType::kBool;
  }

  void CheckControlInput(const ModelSequenceBatching::ControlInput& input,
                         const std::string& path) {
    const TensorSpec* spec = Find(shape_.inputs, "input", FieldPath(path, "name"), input.name());
    if (spec == nullptr || input.control().empty()) {
      return;
    }
    const Dims dims = RowDims(*spec);
    if (ElementCount(dims) != 1) {
      findings_.Error(FieldPath(path, "name"),
                      fmt::format("input '{}' is {} a row in the compiled file, expected one "
                                  "element, as a control is",
                                  spec->name, DimsToString(dims)));
    }
    const DataType type = ControlType(input.control(0));
    if (type != spec->type) {
      findings_.Error(FieldPath(path, IndexedPath("control", 0)),
                      fmt::format("the control is {}, but input '{}' of the compiled file is {}",
                                  DataTypeName(type), spec->name, DataTypeName(spec->type)));
    }
  }

  void CompleteState(ModelSequenceBatching::State& state, const std::string& path) {
    const TensorSpec* input =
        Find(shape_.inputs, "input", FieldPath(path, "input_name"), state.input_name());
    const TensorSpec* output =
        Find(shape_.outputs, "output", FieldPath(path, "output_name"), state.output_name());
    if (input == nullptr || output == nullptr) {
      return;
    }
    const Dims dims = RowDims(*input);
    if (input->type != output->type || dims != RowDims(*output) ||
        std::find(dims.begin(), dims.end(), -1) != dims.end()) {
      findings_.Error(
          path,
          fmt::format("expected one type and one size for '{}' and '{}', got {} {} and "
                      "{} {}: what one request leaves is what the next one reads",
                      input->name, output->name, DataTypeName(input->type), DimsToString(dims),
                      DataTypeName(output->type), DimsToString(RowDims(*output))));
      return;
    }
    CheckType(FieldPath(path, "data_type"), state.data_type(), input->type);
    CheckSize(FieldPath(path, "dims"), {state.dims().begin(), state.dims().end()}, dims);
    state.set_data_type(ToConfigType(input->type));
    state.mutable_dims()->Assign(dims.begin(), dims.end());
    for (int i = 0; i < state.initial_state_size(); ++i) {
      ModelSequenceBatching::InitialState& initial = *state.mutable_initial_state(i);
      const std::string own = IndexedPath(FieldPath(path, "initial_state"), static_cast<size_t>(i));
      CheckType(FieldPath(own, "data_type"), initial.data_type(), input->type);
      CheckSize(FieldPath(own, "dims"), {initial.dims().begin(), initial.dims().end()}, dims);
      initial.set_data_type(state.data_type());
      *initial.mutable_dims() = state.dims();
    }
  }

  void CheckType(const std::string& path, inference::DataType given, DataType expected) {
    const DataType type = FromConfigType(given);
    if (type != DataType::kInvalid && type != expected) {
      findings_.Error(path, fmt::format("expected {}, as in the compiled file, got {}",
                                        DataTypeName(expected), DataTypeName(type)));
    }
  }

  void CheckSize(const std::string& path, const Dims& given, const Dims& expected) {
    const bool agrees =
        given.empty() || std::equal(given.begin(), given.end(), expected.begin(), expected.end(),
                                    [](int64_t g, int64_t e) { return g == -1 || g == e; });
    if (!agrees) {
      findings_.Error(
          path, fmt::format("expected {}, as in the compiled file, got {}; write {}, "
                            "or leave the key out",
                            DimsToString(expected), DimsToString(given), DimsToString(expected)));
    }
  }

  ModelConfig& config_;
  ModelSequenceBatching& batching_;
  const ModelShape& shape_;
  Findings& findings_;
};

}  // namespace

void CompleteSequenceBatching(ModelConfig& config, const ModelShape& shape, Findings& findings) {
  if (config.has_sequence_batching()) {
    SequenceCompleter(config, shape, findings).Complete();
    CheckSequenceBatchSizes(config, findings);
  }
}

}  // namespace omserve::config
