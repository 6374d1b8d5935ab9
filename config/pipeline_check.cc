// SPDX-License-Identifier: Apache-2.0
// Steps and the tensors that join them.
#include <fmt/format.h>

#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/model_config.h"
#include "config/model_config_check.h"
#include "config/nearest_name.h"

namespace omserve::config {
namespace {

using inference::ModelConfig;
using inference::Pipeline;

// A protobuf map in the order of its keys, so that errors come in one order.
std::map<std::string, std::string> Sorted(
    const google::protobuf::Map<std::string, std::string>& map) {
  return {map.begin(), map.end()};
}

class PipelineChecker final {
 public:
  // `config` has its final name and its pipeline. `list` is the path of the steps, which stand
  // elsewhere in an ensemble.
  PipelineChecker(const ModelConfig& config, std::string list, Findings& findings)
      : config_(config),
        pipeline_(config.pipeline()),
        list_(std::move(list)),
        findings_(findings) {}

  void Check() {
    if (pipeline_.step().empty()) {
      findings_.Error(list_, "expected at least one step, got none");
      return;
    }
    for (int i = 0; i < pipeline_.step_size(); ++i) {
      CheckStep(i);
    }
    CollectTensors();
    CheckReaders();
    CheckOrder();
  }

 private:
  std::string StepPath(int index) const { return IndexedPath(list_, static_cast<size_t>(index)); }

  void CheckStep(int index) {
    const Pipeline::Step& step = pipeline_.step(index);
    const std::string path = StepPath(index);
    if (step.name().empty()) {
      findings_.Error(FieldPath(path, "name"), "expected a name for the step, got nothing");
    } else if (!step_names_.insert(step.name()).second) {
      findings_.Error(FieldPath(path, "name"),
                      fmt::format("{} is already the name of another step", Quoted(step.name())));
    }
    if (step.model_name().empty() == !step.has_host()) {
      findings_.Error(
          path, fmt::format("step '{}' has {}; expected exactly one of them", Shown(step.name()),
                            step.has_host() ? "both 'model_name' and 'host'"
                                            : "neither 'model_name' nor 'host'"));
    }
    if (step.has_host() && step.host().op().empty()) {
      findings_.Error(FieldPath(path, "host.op"), "expected the operation's name, got nothing");
    }
    if (step.has_host() && step.model_version() != 0) {
      findings_.Error(FieldPath(path, "model_version"),
                      "a host operation has no versions; leave the key out");
    }
    if (step.has_host() && step.cache().enable()) {
      findings_.Error(FieldPath(path, "cache"),
                      "only a model's outputs can be cached; leave the key out");
    }
    if (step.cache().max_bytes() > 0 && !step.cache().enable()) {
      findings_.Error(FieldPath(path, "cache.max_bytes"),
                      "nothing is cached; write cache.enable: true, or leave the key out");
    }
    if (step.model_version() < -1) {
      findings_.Error(
          FieldPath(path, "model_version"),
          fmt::format("expected a version, or -1 for the latest, got {}", step.model_version()));
    }
    if (step.model_name() == config_.name()) {
      findings_.Error(FieldPath(path, "model_name"),
                      fmt::format("'{}' is the pipeline itself", Shown(step.model_name())));
    }
    CheckMap(FieldPath(path, "input_map"), Sorted(step.input_map()));
    CheckMap(FieldPath(path, "output_map"), Sorted(step.output_map()));
  }

  void CheckMap(const std::string& path, const std::map<std::string, std::string>& map) {
    if (map.empty()) {
      findings_.Error(path, "expected at least one 'tensor of the step: tensor of the pipeline'");
    }
    for (const auto& [key, value] : map) {
      if (key.empty() || value.empty()) {
        findings_.Error(KeyedPath(path, key),
                        "expected a tensor's name on both sides, got nothing");
      }
    }
  }

  // Fills maker_: who makes each tensor of the pipeline.
  void CollectTensors() {
    for (const inference::ModelInput& input : config_.input()) {
      maker_.emplace(input.name(), kRequest);
    }
    for (int i = 0; i < pipeline_.step_size(); ++i) {
      for (const auto& [own, tensor] : Sorted(pipeline_.step(i).output_map())) {
        const auto [found, is_new] = maker_.emplace(tensor, i);
        if (is_new) {
          continue;
        }
        const std::string maker = found->second == kRequest
                                      ? "the pipeline's input of that name"
                                      : fmt::format("step '{}'", StepName(found->second));
        findings_.Error(KeyedPath(FieldPath(StepPath(i), "output_map"), own),
                        fmt::format("tensor '{}' is already made by {}; choose another name",
                                    Shown(tensor), maker));
      }
    }
  }

  std::string StepName(int index) const { return Shown(pipeline_.step(index).name()); }

  std::vector<std::string> MadeTensors() const {
    std::vector<std::string> names;
    for (const auto& [tensor, step] : maker_) {
      names.push_back(tensor);
    }
    return names;
  }

  // Everything that is read is made, and what is made is read.
  void CheckReaders() {
    std::set<std::string> read;
    for (int i = 0; i < pipeline_.step_size(); ++i) {
      for (const auto& [own, tensor] : Sorted(pipeline_.step(i).input_map())) {
        read.insert(tensor);
        if (!maker_.contains(tensor)) {
          findings_.Error(
              KeyedPath(FieldPath(StepPath(i), "input_map"), own),
              fmt::format("tensor '{}' is made by no step and is no input: {}", Shown(tensor),
                          UnknownName(tensor, "tensors", MadeTensors())));
        }
      }
    }
    for (int i = 0; i < config_.output_size(); ++i) {
      const std::string& name = config_.output(i).name();
      read.insert(name);
      if (!name.empty() && !maker_.contains(name)) {
        findings_.Error(FieldPath(IndexedPath("output", static_cast<size_t>(i)), "name"),
                        fmt::format("output '{}' is made by no step: {}", Shown(name),
                                    UnknownName(name, "tensors", MadeTensors())));
      }
    }
    for (const auto& [tensor, step] : maker_) {
      if (!read.contains(tensor)) {
        findings_.Warn(
            step == kRequest ? "input" : FieldPath(StepPath(step), "output_map"),
            fmt::format("tensor '{}' is used by no step and is no output", Shown(tensor)));
      }
    }
  }

  // Takes away steps whose inputs are made until none can go; what stays waits for itself.
  void CheckOrder() {
    const auto count = static_cast<size_t>(pipeline_.step_size());
    std::vector<std::vector<size_t>> followers(count);
    std::vector<size_t> waits(count, 0);
    for (size_t i = 0; i < count; ++i) {
      std::set<int> before;
      for (const auto& [own, tensor] : pipeline_.step(static_cast<int>(i)).input_map()) {
        const auto found = maker_.find(tensor);
        if (found != maker_.end() && found->second != kRequest) {
          before.insert(found->second);
        }
      }
      waits[i] = before.size();
      for (const int step : before) {
        followers[static_cast<size_t>(step)].push_back(i);
      }
    }
    std::deque<size_t> ready;
    for (size_t i = 0; i < count; ++i) {
      if (waits[i] == 0) {
        ready.push_back(i);
      }
    }
    for (; !ready.empty(); ready.pop_front()) {
      for (const size_t next : followers[ready.front()]) {
        if (--waits[next] == 0) {
          ready.push_back(next);
        }
      }
    }
    std::vector<std::string> stuck;
    for (size_t i = 0; i < count; ++i) {
      if (waits[i] > 0) {
        stuck.push_back(StepName(static_cast<int>(i)));
      }
    }
    if (!stuck.empty()) {
      findings_.Error(list_, fmt::format("these steps wait for each other's tensors, or for steps "
                                         "that do: {}",
                                         fmt::join(stuck, ", ")));
    }
  }

  static constexpr int kRequest = -1;

  const ModelConfig& config_;
  const Pipeline& pipeline_;
  const std::string list_;
  Findings& findings_;
  std::set<std::string> step_names_;
  std::map<std::string, int> maker_;  // Step index, or kRequest.
};

}  // namespace

void CheckPipeline(const ModelConfig& config, const std::string& model_name, Findings& findings) {
  if (config.input().empty()) {
    findings.Error("input", "a pipeline needs at least one input");
  }
  if (config.output().empty()) {
    findings.Error("output", "a pipeline needs at least one output");
  }
  ModelConfig named = config;
  named.set_name(model_name);
  EnsembleToPipeline(named);
  PipelineChecker(named, config.has_pipeline() ? "pipeline.step" : "ensemble_scheduling.step",
                  findings)
      .Check();
}

}  // namespace omserve::config
