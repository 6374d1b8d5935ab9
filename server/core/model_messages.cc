// SPDX-License-Identifier: Apache-2.0
#include "server/core/model_messages.h"

#include "runtime/base/status_macros.h"

namespace omserve::server {
namespace {

void Set(const DurationCount& from, inference::StatisticDuration* to) {
  to->set_count(from.count);
  to->set_ns(from.ns);
}

void AddMemory(const char* type, int device_id, size_t bytes, inference::ModelStatistics* to) {
  if (bytes == 0) {
    return;
  }
  inference::MemoryUsage& usage = *to->add_memory_usage();
  usage.set_type(type);
  usage.set_id(device_id);
  usage.set_byte_size(bytes);
}

}  // namespace

void FillMetadata(const Model& model, const std::vector<ModelHandle>& versions,
                  inference::ModelMetadataResponse* response) {
  const auto set = [](const TensorSpec& from,
                      inference::ModelMetadataResponse::TensorMetadata* to) {
    to->set_name(from.name);
    to->set_datatype(std::string(DataTypeName(from.type)));
    to->mutable_shape()->Assign(from.dims.begin(), from.dims.end());
  };
  response->set_name(model.name);
  for (const ModelHandle& version : versions) {
    response->add_versions(std::to_string(version->version));
  }
  response->set_platform(model.config.platform().empty() ? model.config.backend()
                                                         : model.config.platform());
  for (const TensorSpec& input : model.inputs) {
    set(input, response->add_inputs());
  }
  for (const TensorSpec& output : model.outputs) {
    set(output, response->add_outputs());
  }
}

void FillStatistics(const ModelStatistics& from, const Model& model,
                    inference::ModelStatistics* to) {
  to->set_name(from.name);
  to->set_version(std::to_string(from.version));
  to->set_last_inference(from.last_inference_ms);
  to->set_inference_count(from.inference_count);
  to->set_execution_count(from.execution_count);
  inference::InferStatistics& stats = *to->mutable_inference_stats();
  Set(from.success, stats.mutable_success());
  Set(from.fail, stats.mutable_fail());
  Set(from.queue, stats.mutable_queue());
  Set(from.compute_input, stats.mutable_compute_input());
  Set(from.compute_infer, stats.mutable_compute_infer());
  Set(from.compute_output, stats.mutable_compute_output());
  const auto stage = [&from](scheduler::Stage of) {
    const DurationHistogram& times = from.stages.stages[static_cast<size_t>(of)];
    return DurationCount{times.count, times.sum_ns};
  };
  Set({from.stages.total.count, from.stages.total.sum_ns}, to->mutable_request_total());
  Set(stage(scheduler::Stage::kQueue), to->mutable_request_queue());
  Set(stage(scheduler::Stage::kInput), to->mutable_request_input());
  Set(stage(scheduler::Stage::kCompute), to->mutable_request_compute());
  Set(stage(scheduler::Stage::kOutput), to->mutable_request_output());
  Set(stage(scheduler::Stage::kOverhead), to->mutable_request_overhead());
  Set(from.cache_hit, stats.mutable_cache_hit());
  Set(from.cache_miss, stats.mutable_cache_miss());
  for (const auto& [rows, size] : from.by_batch_size) {
    inference::InferBatchStatistics& batch = *to->add_batch_stats();
    batch.set_batch_size(static_cast<uint64_t>(rows));
    Set({size.executions, size.compute_input_ns}, batch.mutable_compute_input());
    Set({size.executions, size.compute_infer_ns}, batch.mutable_compute_infer());
    Set({size.executions, size.compute_output_ns}, batch.mutable_compute_output());
  }
  for (size_t i = 0; i < from.answers.size(); ++i) {
    const AnswerStatistics& answers = from.answers[i];
    inference::InferResponseStatistics& response =
        (*to->mutable_response_stats())[std::to_string(i)];
    Set(answers.success, response.mutable_compute_infer());
    Set(answers.success, response.mutable_success());
    Set(answers.fail, response.mutable_fail());
    Set(answers.empty, response.mutable_empty_response());
    Set(answers.cancel, response.mutable_cancel());
  }
  for (const DeviceShare& share : model.shares) {
    AddMemory("NPU_WEIGHTS", share.device, share.weight_bytes, to);
    AddMemory("NPU_WORK", share.device, share.work_bytes, to);
  }
}

absl::Status FillAllStatistics(const Catalog& catalog, const Statistics& statistics,
                               const std::string& name, const std::string& version,
                               inference::ModelStatisticsResponse* response) {
  int64_t only_version = 0;
  if (!name.empty()) {
    ASSIGN_OR_RETURN(const ModelHandle model, catalog.Find(name, version));
    only_version = version.empty() ? 0 : model->version;
  }
  for (const ModelStatistics& entry : statistics.Snapshot()) {
    if ((!name.empty() && entry.name != name) ||
        (only_version != 0 && entry.version != only_version)) {
      continue;
    }
    const absl::StatusOr<ModelHandle> model =
        catalog.Find(entry.name, std::to_string(entry.version));
    if (model.ok()) {
      FillStatistics(entry, **model, response->add_model_stats());
    }
  }
  return absl::OkStatus();
}

void FillIndex(const std::vector<CatalogEntry>& entries, bool ready_only,
               inference::RepositoryIndexResponse* response) {
  for (const CatalogEntry& entry : entries) {
    if (ready_only && entry.model == nullptr) {
      continue;
    }
    inference::RepositoryIndexResponse::ModelIndex& model = *response->add_models();
    model.set_name(entry.name);
    if (entry.version != 0) {
      model.set_version(std::to_string(entry.version));
    }
    model.set_state(std::string(IndexStateName(entry.state)));
    if (entry.model == nullptr) {
      model.set_reason(std::string(MessageOf(entry.status)));
    }
  }
}

}  // namespace omserve::server
