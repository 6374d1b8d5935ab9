// SPDX-License-Identifier: Apache-2.0
// The descriptors of the C interface that live on the host and need no device: data buffers,
// datasets, tensor descriptions, model descriptions, load configurations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/acl/acl_abi.h"
#include "runtime/base/mutex.h"
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/handle_table.h"
#include "runtime/hostacl/model_store.h"
#include "runtime/hostacl/profiler.h"
#include "runtime/om/model_description.h"

namespace omserve::hostacl {

// As in AscendCL, one object is used by one thread at a time; the tables are thread-safe.
struct DataBuffer {
  void* data = nullptr;
  size_t size_bytes = 0;
};

struct TensorDesc {
  aclDataType data_type = ACL_DT_UNDEFINED;
  aclFormat format = ACL_FORMAT_UNDEFINED;
  std::vector<int64_t> dims;
  std::string name;
};

// The tensor descriptions of a dataset, which owns them: each has a handle and a place in the
// table. Thread-safe, because an execution sets those of its outputs when the stream comes to it.
class OwnedTensorDescs final {
 public:
  OwnedTensorDescs() = default;
  OwnedTensorDescs(const OwnedTensorDescs&) = delete;
  OwnedTensorDescs& operator=(const OwnedTensorDescs&) = delete;

  // In place of the one before, whose handle is then none.
  void Set(size_t index, TensorDesc desc) ABSL_LOCKS_EXCLUDED(mu_);
  // Null where none was set.
  aclTensorDesc* Get(size_t index) const ABSL_LOCKS_EXCLUDED(mu_);
  bool empty() const ABSL_LOCKS_EXCLUDED(mu_);
  // With the dataset's handle; later ones are not kept.
  void Destroy() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  mutable Mutex mu_;
  bool destroyed_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<aclTensorDesc*> descs_ ABSL_GUARDED_BY(mu_);
};

struct Dataset {
  std::vector<aclDataBuffer*> buffers;
  OwnedTensorDescs tensor_descs;
  bool has_gear = false;  // A gear was set, which excludes the descriptions of inputs.
};

struct ModelDesc {
  om::ModelDescription model;
  std::optional<uint32_t> model_id;  // Set by aclmdlGetDesc only.
};

struct StreamConfig {
  size_t flags = 0;
  uint32_t priority = 0;
};

struct ExecConfig {
  int32_t stream_timeout_ms = -1;
};

struct LoadConfig {
  size_t load_type = 0;
  std::string path;
  const void* file = nullptr;
  size_t file_bytes = 0;
  GivenMemory work;
  GivenMemory weights;
};

// They need no aclInit, so the tables belong to the process. A handle is the pointer that the C
// interface shows, never an address.
HandleTable<DataBuffer>& DataBuffers();
HandleTable<Dataset>& Datasets();
HandleTable<TensorDesc>& TensorDescs();
HandleTable<ModelDesc>& ModelDescs();
HandleTable<LoadConfig>& LoadConfigs();
HandleTable<StreamConfig>& StreamConfigs();
HandleTable<ExecConfig>& ExecConfigs();
HandleTable<ProfileConfig>& ProfileConfigs();
HandleTable<SubscribeConfig>& SubscribeConfigs();

// What to say of a handle that is in no table. ACL_ERROR_INVALID_PARAM.
absl::Status UnknownHandle(const char* kind, const void* handle);

template <typename T>
absl::StatusOr<std::shared_ptr<T>> FindObject(const HandleTable<T>& table, const char* kind,
                                              const void* handle) {
  std::shared_ptr<T> object = table.Find(handle);
  if (object == nullptr) {
    return UnknownHandle(kind, handle);
  }
  return object;
}

template <typename T>
absl::Status DestroyObject(HandleTable<T>& table, const char* kind, const void* handle) {
  return table.Remove(handle) == nullptr ? UnknownHandle(kind, handle) : absl::OkStatus();
}

// The value of an option as the functions of the form Set...Opt are given it.
// ACL_ERROR_INVALID_PARAM when it is null or not of the option's size.
template <typename T>
absl::Status ReadOption(const char* function, int option, const void* value, size_t size_bytes,
                        T* out) {
  if (value == nullptr || size_bytes != sizeof(T)) {
    return Fail(ACL_ERROR_INVALID_PARAM, "{}: option {} has {} bytes at {}, expected {}", function,
                option, size_bytes, fmt::ptr(value), sizeof(T));
  }
  std::memcpy(out, value, sizeof(T));
  return absl::OkStatus();
}

// The buffers of a dataset as they are now. ACL_ERROR_INVALID_PARAM for an unknown dataset or one
// that holds a destroyed buffer.
absl::StatusOr<BufferViews> SnapshotBuffers(const aclmdlDataset* dataset, const char* what);

}  // namespace omserve::hostacl
