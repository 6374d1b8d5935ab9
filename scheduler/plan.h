// SPDX-License-Identifier: Apache-2.0
// A model compiled for the scheduler: steps in an order that respects data flow, and the tensors
// between them. A plain subgraph is a plan of one step; a pipeline is a directed acyclic graph.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/tensor.h"
#include "runtime/hostops/host_op.h"
#include "scheduler/sequence.h"
#include "scheduler/subgraph.h"
#include "scheduler/subgraph_load.h"

namespace omserve::scheduler {

class StepCache;

// A subgraph known to an engine: `index` is its place there. Lives as long as the engine.
struct Subgraph {
  int index = 0;
  std::string name;
  int64_t version = 1;
  SubgraphShape shape;
  std::optional<SequenceSpec> sequence;          // When it keeps state between requests.
  std::shared_ptr<SubgraphLoad> load = nullptr;  // Kept by the engine; null without one.
};

struct PlanNode {
  std::string name;                           // The step's name, unique in the plan.
  const Subgraph* subgraph = nullptr;         // A device step, or
  std::shared_ptr<const hostops::HostOp> op;  // a host step.
  // Indices into Plan::tensors, in the order of the subgraph's or op's own tensors. An output that
  // nobody reads is -1, and so is an input that the server makes (SequenceSpec::MakesInput).
  std::vector<int> inputs;
  std::vector<int> outputs;
  // Nodes whose outputs this one reads / that read this one's outputs; ascending, none twice.
  std::vector<int> producers;
  std::vector<int> consumers;
  // A device step whose outputs are kept for inputs that come again, by all plans of the pipeline
  // together. Its inputs stand on the host: the request's, a host step's, or a cached step's.
  bool is_cached = false;
  std::shared_ptr<StepCache> cache;

  bool on_device() const { return subgraph != nullptr; }
};

struct PlanTensor {
  std::string name;
  TensorSpec spec;    // Row dims; its name is the producer's own name for it.
  int producer = -1;  // Node, or -1 for an input of the request.
  int producer_output = 0;
  // A client may ask for it or a host step reads it, so a device step's output is copied to host.
  bool needed_on_host = false;
};

// Immutable once built. Thread-safe.
struct Plan {
  std::string name;
  int64_t version = 1;
  // True: dim 0 of every input and output of a request is its number of rows.
  bool batched = false;
  // Answers leave in the order in which their requests arrived.
  bool preserve_ordering = false;
  // The least of its steps' largest gears; 1 when not batched. A bucket may take fewer rows than
  // its step's largest gear: RowsPerBatch knows.
  int max_rows = 1;
  std::vector<PlanTensor> tensors;
  std::vector<PlanNode> nodes;  // Producers before consumers.
  std::vector<int> inputs;      // Tensors a request brings.
  std::vector<int> outputs;     // Tensors a request may ask for.

  // Memory in which one request can go from its first device step to its last, whatever others hold
  // (see OutputsOfSteps): where each node's outputs stand in it (0 for host nodes), and its size.
  std::vector<size_t> arena_offsets;
  size_t arena_bytes = 0;

  const TensorSpec& input(size_t i) const { return tensors[static_cast<size_t>(inputs[i])].spec; }
  bool is_pipeline() const { return nodes.size() != 1; }

  // The bucket of each node (0 for host nodes) for a request whose inputs have these row dims, in
  // the order of `inputs`; one entry per input. Errors: kInvalidArgument naming the step, the dims
  // met and those that were compiled.
  absl::StatusOr<std::vector<int>> ResolveBuckets(std::span<const Dims> input_row_dims) const;
  // The most rows that every step takes in one batch of these buckets, one per node. A request with
  // more runs in parts.
  int RowsPerBatch(std::span<const int> buckets) const;
};

// One step as written in a configuration. Maps go from the step's own tensor name to the
// pipeline's.
struct StepSpec {
  std::string name;
  const Subgraph* subgraph = nullptr;
  std::shared_ptr<const hostops::HostOp> op;
  std::map<std::string, std::string> input_map;
  std::map<std::string, std::string> output_map;
  std::shared_ptr<StepCache> cache = nullptr;  // See PlanNode.
  // The cache is that of another pipeline, which this one does without where an input of the step
  // stays on the device.
  bool shares_cache = false;
};

struct PipelineSpec {
  std::string name;
  int64_t version = 1;
  std::vector<StepSpec> steps;
  // Declared inputs and outputs of the pipeline with row dims (-1: any). Empty `inputs`: every
  // tensor that no step makes. Empty `outputs`: every tensor that no step reads.
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
};

// Errors: kInvalidArgument naming the pipeline, the step, the tensor and what is wrong: an unmapped
// or unknown tensor, two producers, a cycle, types or dims that do not fit, batching that differs.
absl::StatusOr<std::shared_ptr<const Plan>> BuildPipeline(const PipelineSpec& spec);

// Fills in the plan's arena. For the makers of plans.
void PlaceInArena(Plan& plan);

// The plan of one subgraph under its own name.
std::shared_ptr<const Plan> BuildSingle(const Subgraph& subgraph);

}  // namespace omserve::scheduler
