// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/data_objects.h"

#include <algorithm>
#include <utility>

namespace omserve::hostacl {
namespace {

// Never destroyed: static objects of the program may hold handles and destroy them after main.
template <typename T>
HandleTable<T>& Table(const char* kind) {
  static HandleTable<T>& table = *std::make_unique<HandleTable<T>>(kind).release();
  return table;
}

}  // namespace

HandleTable<DataBuffer>& DataBuffers() { return Table<DataBuffer>("data buffer"); }
HandleTable<Dataset>& Datasets() { return Table<Dataset>("dataset"); }
HandleTable<TensorDesc>& TensorDescs() { return Table<TensorDesc>("tensor description"); }
HandleTable<ModelDesc>& ModelDescs() { return Table<ModelDesc>("model description"); }
HandleTable<LoadConfig>& LoadConfigs() { return Table<LoadConfig>("load configuration"); }
HandleTable<StreamConfig>& StreamConfigs() { return Table<StreamConfig>("stream configuration"); }
HandleTable<ExecConfig>& ExecConfigs() { return Table<ExecConfig>("execution configuration"); }
HandleTable<ProfileConfig>& ProfileConfigs() {
  return Table<ProfileConfig>("profiling configuration");
}
HandleTable<SubscribeConfig>& SubscribeConfigs() {
  return Table<SubscribeConfig>("subscription configuration");
}

absl::Status UnknownHandle(const char* kind, const void* handle) {
  if (handle == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "the {} is null", kind);
  }
  return Fail(ACL_ERROR_INVALID_PARAM, "{} is no {}; was it destroyed?", fmt::ptr(handle), kind);
}

void OwnedTensorDescs::Set(size_t index, TensorDesc desc) {
  const MutexLock lock(mu_);
  if (destroyed_) {
    return;
  }
  descs_.resize(std::max(descs_.size(), index + 1), nullptr);
  TensorDescs().Remove(descs_[index]);
  void* const handle = NewHandle();
  TensorDescs().AddAs(handle, std::make_shared<TensorDesc>(std::move(desc)),
                      /*is_programs=*/false);
  descs_[index] = static_cast<aclTensorDesc*>(handle);
}

aclTensorDesc* OwnedTensorDescs::Get(size_t index) const {
  const MutexLock lock(mu_);
  return index < descs_.size() ? descs_[index] : nullptr;
}

bool OwnedTensorDescs::empty() const {
  const MutexLock lock(mu_);
  return descs_.empty();
}

void OwnedTensorDescs::Destroy() {
  const MutexLock lock(mu_);
  destroyed_ = true;
  for (const aclTensorDesc* desc : descs_) {
    TensorDescs().Remove(desc);
  }
  descs_.clear();
}

absl::StatusOr<BufferViews> SnapshotBuffers(const aclmdlDataset* dataset, const char* what) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Dataset> found,
                   FindObject(Datasets(), "dataset", dataset));
  BufferViews views;
  views.reserve(found->buffers.size());
  for (size_t i = 0; i < found->buffers.size(); ++i) {
    const std::shared_ptr<DataBuffer> buffer = DataBuffers().Find(found->buffers[i]);
    if (buffer == nullptr) {
      return Fail(ACL_ERROR_INVALID_PARAM,
                  "{} dataset: buffer {} was destroyed while the dataset holds it", what, i);
    }
    views.push_back(BufferView{buffer->data, buffer->size_bytes});
  }
  return views;
}

}  // namespace omserve::hostacl
