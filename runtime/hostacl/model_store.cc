// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/model_store.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <string_view>
#include <utility>

#include "runtime/base/thread.h"
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/engine_timed.h"
#include "runtime/hostacl/gears.h"
#include "runtime/om/om2_file.h"

namespace omserve::hostacl {
namespace {

uint32_t NextModelId() {
  // Relaxed: only uniqueness matters. 0 is left to programs that use it for "none".
  static std::atomic<uint32_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

// Ids are small numbers, which no handle or address is.
const void* OwnerKey(uint32_t id) { return reinterpret_cast<const void*>(uintptr_t{id}); }

// The same for the same bytes. A piece at a time, since who loads may share a processor with who
// serves.
size_t HashOf(std::span<const std::byte> bytes) {
  constexpr size_t kPieceBytes = size_t{256} << 10;
  size_t hash = 0;
  for (size_t at = 0; at < bytes.size(); at += kPieceBytes) {
    const auto piece = bytes.subspan(at, std::min(kPieceBytes, bytes.size() - at));
    const std::string_view text(reinterpret_cast<const char*>(piece.data()), piece.size());
    hash = hash * 31 + std::hash<std::string_view>()(text);
    GiveWay();
  }
  return hash;
}

absl::StatusOr<om::OmFile> ParseFile(std::span<const std::byte> bytes) {
  absl::StatusOr<om::OmFile> file = om::OmFile::Parse(bytes);
  if (!file.ok()) {
    return WithAclCode(file.status(), ACL_ERROR_GE_EXEC_MODEL_DATA_SIZE_INVALID);
  }
  return file;
}

// `file` is of either form.
template <typename File>
absl::StatusOr<om::ModelDescription> Describe(const File& file) {
  absl::StatusOr<om::ModelDescription> description = om::DescribeModel(file);
  if (!description.ok()) {
    return WithAclCode(description.status(), ACL_ERROR_GE_EXEC_LOAD_MODEL_PARTITION_FAILED);
  }
  return description;
}

absl::StatusOr<om::ModelDescription> DescribeOm2(std::span<const std::byte> bytes) {
  const absl::StatusOr<om::Om2File> file = om::Om2File::Parse(bytes);
  if (!file.ok()) {
    return WithAclCode(file.status(), ACL_ERROR_GE_EXEC_MODEL_DATA_SIZE_INVALID);
  }
  return Describe(*file);
}

// An om2 file holds programs for a chip, whatever its model is.
absl::Status RefuseOm2(std::span<const std::byte> bytes) {
  ASSIGN_OR_RETURN(const om::ModelDescription model, DescribeOm2(bytes));
  return Fail(
      ACL_ERROR_GE_FAILURE,
      "model '{}' is a file of the om2 form (a ZIP archive, CANN 9), compiled for '{}'; this "
      "device is '{}' and runs the classic form of .om; compile the ONNX file with "
      "`omc compile`",
      model.name, model.soc_version.empty() ? "an unnamed NPU" : model.soc_version,
      om::kHostSocVersion);
}

// Only what omc compiled for this device can run here.
absl::Status CheckRunnable(const om::ModelDescription& model) {
  if (model.soc_version != om::kHostSocVersion) {
    return Fail(ACL_ERROR_GE_FAILURE,
                "model '{}' was compiled for '{}', this device is '{}'; compile the ONNX file with "
                "`omc compile`",
                model.name, model.soc_version.empty() ? "an unnamed older NPU" : model.soc_version,
                om::kHostSocVersion);
  }
  for (const om::GearDescription& gear : model.gears) {
    if (gear.output_dims.size() != model.outputs.size()) {
      return Fail(ACL_ERROR_GE_EXEC_LOAD_MODEL_PARTITION_FAILED,
                  "model '{}': a gear gives dims for {} outputs, there are {}; compile it again",
                  model.name, gear.output_dims.size(), model.outputs.size());
    }
  }
  return absl::OkStatus();
}

// Gives streams back to the device unless a model took them over.
class StreamHold final {
 public:
  StreamHold(Device& device, uint32_t count) : device_(device), count_(count) {}
  ~StreamHold() { device_.streams().Return(count_); }
  StreamHold(const StreamHold&) = delete;
  StreamHold& operator=(const StreamHold&) = delete;
  uint32_t HandOver() { return std::exchange(count_, 0U); }

 private:
  Device& device_;
  uint32_t count_;
};

}  // namespace

absl::StatusOr<om::ModelDescription> DescribeFile(std::span<const std::byte> file) {
  if (om::KindOf(file) == om::FileKind::kOm2) {
    return DescribeOm2(file);
  }
  ASSIGN_OR_RETURN(const om::OmFile parsed, ParseFile(file));
  return Describe(parsed);
}

absl::StatusOr<uint32_t> ModelStore::Load(const LoadRequest& request) {
  if (om::KindOf(request.file) == om::FileKind::kOm2) {
    return RefuseOm2(request.file);
  }
  ASSIGN_OR_RETURN(const om::OmFile file, ParseFile(request.file));
  Model::Parts parts;
  ASSIGN_OR_RETURN(parts.description, Describe(file));
  RETURN_IF_ERROR(CheckRunnable(parts.description));
  RETURN_IF_ERROR(request.device->TakeStreams(parts.description.stream_count));
  StreamHold streams(*request.device, parts.description.stream_count);
  RETURN_IF_ERROR(TakeMemory(request, parts.description, &parts.owned));
  ASSIGN_OR_RETURN(parts.session, FindOrMakeSession(request, file, parts.description));
  parts.device = request.device;
  parts.memory = &memory_;
  parts.context = request.context;
  parts.sync_stream = request.sync_stream;
  parts.work = request.work;
  parts.weights = request.weights;
  parts.streams_held = streams.HandOver();
  const auto model = std::make_shared<Model>(NextModelId(), std::move(parts));
  Owners().Add(OwnerKey(model->id()), "loaded model");
  const MutexLock lock(mu_);
  models_.emplace(model->id(), model);
  return model->id();
}

absl::Status ModelStore::TakeMemory(const LoadRequest& request, const om::ModelDescription& model,
                                    std::vector<DeviceAllocation>* owned) const {
  // The bytes of the weights stay with the session: one copy in this machine's memory. The device's
  // memory is accounted for as on a chip, and its pages are never touched.
  RETURN_IF_ERROR(TakePart(request, request.weights, "weight", model.weight_bytes, owned));
  return TakePart(request, request.work, "work", model.work_bytes, owned);
}

absl::Status ModelStore::TakePart(const LoadRequest& request, const GivenMemory& given,
                                  const char* what, uint64_t needed_bytes,
                                  std::vector<DeviceAllocation>* owned) const {
  if (given.address == nullptr && given.size_bytes == 0) {
    if (needed_bytes == 0) {
      return absl::OkStatus();
    }
    const absl::StatusOr<void*> address =
        request.device->memory().Allocate(needed_bytes, kMallocExtraBytes);
    if (!address.ok()) {
      return WithAclCode(WithContext(address.status(), fmt::format("{} memory of a model", what)),
                         ACL_ERROR_GE_MEMORY_ALLOCATION);
    }
    owned->emplace_back(request.device, *address);
    return absl::OkStatus();
  }
  if (given.address == nullptr || given.size_bytes < needed_bytes) {
    return Fail(ACL_ERROR_GE_PARAM_INVALID,
                "{} memory: {} bytes at {} were given, the model needs {} (aclmdlQuerySize)", what,
                given.size_bytes, fmt::ptr(given.address), needed_bytes);
  }
  const absl::StatusOr<std::byte*> bytes =
      memory_.DeviceBytes(given.address, given.size_bytes, DeviceMemory::Slack::kPadding);
  return WithAclCode(WithContext(bytes.status(), fmt::format("{} memory", what)),
                     ACL_ERROR_GE_PARAM_INVALID);
}

absl::StatusOr<Engine*> ModelStore::TheEngine() {
  // Opened by the first load, not by aclInit: programs that only move memory need no engine.
  const MutexLock lock(engine_mu_);
  if (engine_ == nullptr) {
    if (settings_.engine == kTimedEngine) {
      engine_ = MakeTimedEngine(settings_);
    } else {
      ASSIGN_OR_RETURN(engine_, MakeOrtEngine(settings_));
    }
  }
  return engine_.get();
}

absl::StatusOr<std::shared_ptr<const Session>> ModelStore::MakeSession(
    const om::OmFile& file, const om::ModelDescription& model) {
  const om::Partition* graph = file.Find(om::PartitionType::kTaskInfo);
  const om::Partition* weights = file.Find(om::PartitionType::kWeightsData);
  if (graph == nullptr || graph->data.empty()) {
    return Fail(ACL_ERROR_GE_EXEC_LOAD_TASK_PARTITION_FAILED,
                "model '{}': it has no TASK_INFO, where the graph for this device stands",
                model.name);
  }
  SessionSource source;
  source.model_name = model.name;
  source.graph = graph->data;
  source.weights = weights == nullptr ? std::span<const std::byte>() : weights->data;
  for (const om::IoDescription& input : model.inputs) {
    source.inputs.push_back(input.name);
  }
  source.output_count = model.outputs.size();
  source.description = &model;
  ASSIGN_OR_RETURN(Engine* const engine, TheEngine());
  ASSIGN_OR_RETURN(std::unique_ptr<Session> session, engine->Load(source));
  return std::shared_ptr<const Session>(std::move(session));
}

absl::StatusOr<std::shared_ptr<const Session>> ModelStore::FindOrMakeSession(
    const LoadRequest& request, const om::OmFile& file, const om::ModelDescription& model) {
  if (request.weights.address == nullptr) {
    return MakeSession(file, model);
  }
  const WeightKey key(request.weights.address, request.file.size(), HashOf(request.file));
  std::shared_ptr<SharedSession> shared;
  {
    const MutexLock lock(mu_);
    // Slots whose session is gone. One that only the map holds is locked by nobody.
    std::erase_if(shared_, [](const auto& entry) {
      if (entry.second.use_count() > 1) {
        return false;
      }
      const MutexLock slot_lock(entry.second->mu);
      return entry.second->session.expired();
    });
    std::shared_ptr<SharedSession>& slot = shared_[key];
    if (slot == nullptr) {
      slot = std::make_shared<SharedSession>();
    }
    shared = slot;
  }
  // Held while the session is made, which takes long: a second load of the same model has to wait
  // for it anyway, and loads of others are not held up.
  const MutexLock lock(shared->mu);
  std::shared_ptr<const Session> session = shared->session.lock();
  if (session == nullptr) {
    ASSIGN_OR_RETURN(session, MakeSession(file, model));
    shared->session = session;
  }
  return session;
}

absl::Status ModelStore::Unload(uint32_t id, const void* context) {
  std::shared_ptr<Model> model;
  ASSIGN_OR_RETURN(model, Find(id));
  if (model->context() != context) {
    return Fail(ACL_ERROR_RT_MODEL_CONTEXT,
                "model '{}' (id {}): it was loaded in another context than this thread's",
                model->description().name, id);
  }
  if (model->in_flight()) {
    return Fail(ACL_ERROR_GE_UNLOAD_MODEL,
                "model '{}' (id {}): it is executing; synchronise its stream first",
                model->description().name, id);
  }
  Owners().Remove(OwnerKey(id));
  const MutexLock lock(mu_);
  models_.erase(id);
  return absl::OkStatus();
}

void ModelStore::DropContext(const void* context) {
  std::vector<std::shared_ptr<Model>> dropped;  // Destroyed after the lock is released.
  const MutexLock lock(mu_);
  for (auto model = models_.begin(); model != models_.end();) {
    if (model->second->context() == context) {
      dropped.push_back(std::move(model->second));
      model = models_.erase(model);
    } else {
      ++model;
    }
  }
}

absl::StatusOr<std::shared_ptr<Model>> ModelStore::Find(uint32_t id) const {
  const MutexLock lock(mu_);
  const auto found = models_.find(id);
  if (found == models_.end()) {
    return Fail(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID, "model id {}: there is no such model", id);
  }
  return found->second;
}

void ModelStore::Shutdown() {
  std::map<uint32_t, std::shared_ptr<Model>> dropped;
  {
    const MutexLock lock(mu_);
    dropped.swap(models_);
  }
  for (const auto& entry : dropped) {
    entry.second->sync_stream().End();
  }
}

}  // namespace omserve::hostacl
