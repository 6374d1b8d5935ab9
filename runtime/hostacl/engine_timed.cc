// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/engine_timed.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "runtime/base/check.h"
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/device.h"
#include "runtime/hostacl/timed_function.h"
#include "runtime/om/costs.h"

namespace omserve::hostacl {
namespace {

// Whether all tensors have one dim 0 at every gear.
bool HasRows(const om::ModelDescription& model) {
  const auto starts_with = [](std::span<const int64_t> dims, int64_t rows) {
    return !dims.empty() && dims.front() == rows;
  };
  for (size_t gear = 0; gear < std::max<size_t>(1, model.gears.size()); ++gear) {
    std::vector<std::vector<int64_t>> dims = om::InputDimsAtGear(model, gear);
    for (size_t i = 0; i < model.outputs.size(); ++i) {
      dims.push_back(model.gears.empty() ? model.outputs[i].dims
                                         : model.gears[gear].output_dims[i]);
    }
    const int64_t rows = dims.front().empty() ? 0 : dims.front().front();
    if (rows < 1 || !std::all_of(dims.begin(), dims.end(),
                                 [&](const auto& one) { return starts_with(one, rows); })) {
      return false;
    }
  }
  return true;
}

// Microseconds by gear: what the settings say, else the file, else the settings' default.
class CostTable final {
 public:
  CostTable(const TimedSettings& settings, const om::ModelDescription& model)
      : settings_(settings), model_(model) {}

  absl::StatusOr<std::vector<int64_t>> Resolve() const {
    const auto given = settings_.cost_us.find(model_.name);
    const std::map<std::string, int64_t> none;
    const std::map<std::string, int64_t>& own =
        given == settings_.cost_us.end() ? none : given->second;
    RETURN_IF_ERROR(CheckKeys(own));
    std::vector<int64_t> costs;
    for (size_t gear = 0; gear < std::max<size_t>(1, model_.gears.size()); ++gear) {
      costs.push_back(CostAt(gear, own));
      if (costs.back() == 0) {
        return Fail(ACL_ERROR_GE_LOAD_MODEL,
                    "model '{}': no cost is recorded{}, which the timed engine needs; record it "
                    "with `omc measure --write` or `omc compile --cost-us`, or set timed.cost_us "
                    "or timed.default_cost_us",
                    model_.name, model_.gears.empty() ? "" : " for gear " + KeyOf(gear));
      }
    }
    return costs;
  }

 private:
  std::string KeyOf(size_t gear) const {
    return model_.gears.empty() ? "" : om::GearKey(model_.gears[gear].values);
  }

  absl::Status CheckKeys(const std::map<std::string, int64_t>& own) const {
    for (const auto& [key, cost] : own) {
      const bool is_gear =
          key.empty() || std::any_of(model_.gears.begin(), model_.gears.end(),
                                     [&key = key](const om::GearDescription& gear) {
                                       return om::GearKey(gear.values) == key;
                                     });
      if (!is_gear) {
        return Fail(ACL_ERROR_GE_LOAD_MODEL,
                    "model '{}': timed.cost_us has gear '{}', the model's gears are {}",
                    model_.name, key, om::GearKeys(model_));
      }
    }
    return absl::OkStatus();
  }

  int64_t CostAt(size_t gear, const std::map<std::string, int64_t>& own) const {
    for (const std::string& key : {KeyOf(gear), std::string()}) {
      const auto found = own.find(key);
      if (found != own.end()) {
        return found->second;
      }
    }
    return model_.cost_us.empty() ? settings_.default_cost_us : model_.cost_us[gear];
  }

  const TimedSettings& settings_;
  const om::ModelDescription& model_;
};

class TimedSession final : public Session {
 public:
  struct Options {
    std::string name;
    std::vector<int64_t> cost_us;  // By gear.
    uint32_t cores = 1;
    double jitter = 0;
    uint64_t jitter_seed = 0;
    bool has_rows = false;
  };
  explicit TimedSession(Options options) : options_(std::move(options)) {}

  absl::Status Run(const Placement& placement, std::span<const TensorView> inputs,
                   std::span<const TensorView> outputs) const override {
    OMSERVE_CHECK(placement.device.timed() != nullptr, "the devices are made for their engine");
    ClockedCores::Stay stay(placement.device.timed()->cores, options_.cores,
                            NextCost(placement.gear));
    FillOutputs(inputs, outputs);
    stay.Await();
    return absl::OkStatus();
  }

 private:
  Clock::duration NextCost(size_t gear) const {
    const Clock::duration cost = std::chrono::microseconds(options_.cost_us[gear]);
    if (options_.jitter == 0) {
      return cost;
    }
    // Relaxed: only that every call has a number of its own matters.
    const uint64_t call = calls_.fetch_add(1, std::memory_order_relaxed);
    return JitteredCost(cost, options_.jitter, options_.jitter_seed, call);
  }

  void FillOutputs(std::span<const TensorView> inputs, std::span<const TensorView> outputs) const {
    const size_t rows =
        options_.has_rows ? static_cast<size_t>(outputs.front().dims.front()) : size_t{1};
    const auto row_of = [rows](const TensorView& tensor, size_t row) {
      const size_t row_bytes = tensor.size_bytes / rows;
      return std::span(tensor.data + row * row_bytes, row_bytes);
    };
    absl::InlinedVector<std::span<const std::byte>, 4> row_inputs(inputs.size());
    for (size_t row = 0; row < rows; ++row) {
      for (size_t i = 0; i < inputs.size(); ++i) {
        row_inputs[i] = row_of(inputs[i], row);
      }
      const uint64_t seed = TimedSeed(options_.name, row_inputs);
      for (size_t i = 0; i < outputs.size(); ++i) {
        FillTimedRow(seed, i, outputs[i].acl_data_type, row_of(outputs[i], row));
      }
    }
  }

  const Options options_;
  mutable std::atomic<uint64_t> calls_{0};
};

class TimedEngine final : public Engine {
 public:
  explicit TimedEngine(const Settings& settings) : settings_(settings) {}

  absl::StatusOr<std::unique_ptr<Session>> Load(const SessionSource& source) override {
    const om::ModelDescription& model = *source.description;
    const TimedSettings& timed = settings_.timed;
    if (om::HasDynamicShape(model)) {
      return Fail(
          ACL_ERROR_GE_LOAD_MODEL,
          "model '{}': it has a dynamic shape, {}, for which the timed engine knows no cost; "
          "compile it with gears",
          model.name, om::ShowRanges(model));
    }
    TimedSession::Options options;
    options.name = model.name;
    ASSIGN_OR_RETURN(options.cost_us, CostTable(timed, model).Resolve());
    const auto cores = timed.cores_per_execution.find(model.name);
    options.cores = cores == timed.cores_per_execution.end() ? 1 : cores->second;
    if (options.cores > settings_.cores) {
      return Fail(ACL_ERROR_GE_LOAD_MODEL,
                  "model '{}': timed.cores_per_execution is {}, a device has {} cores", model.name,
                  options.cores, settings_.cores);
    }
    options.jitter = timed.jitter;
    const std::array<std::span<const std::byte>, 1> seed = {
        std::as_bytes(std::span(&timed.seed, 1))};
    options.jitter_seed = TimedSeed(model.name, seed);
    options.has_rows = HasRows(model);
    return std::make_unique<TimedSession>(std::move(options));
  }

 private:
  const Settings settings_;
};

}  // namespace

std::unique_ptr<Engine> MakeTimedEngine(const Settings& settings) {
  return std::make_unique<TimedEngine>(settings);
}

}  // namespace omserve::hostacl
