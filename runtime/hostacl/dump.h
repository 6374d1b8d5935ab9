// SPDX-License-Identifier: Apache-2.0
// Dump: the tensors of the executions of chosen models, each as a file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/base/mutex.h"
#include "runtime/hostacl/dump_config.h"
#include "runtime/hostacl/model.h"

namespace omserve::hostacl {

// Files: <dump_path>/<time>/<device>/<model>/<model id>/<execution>/input.<i>.<tensor>.bin, raw
// bytes. A file that cannot be written is logged; no execution fails for it.
//
// Thread-safe.
class Dump final {
 public:
  Dump() = default;
  Dump(const Dump&) = delete;
  Dump& operator=(const Dump&) = delete;

  // The text of aclInit's file, "" without one: an object "dump" in it turns dump on until the end.
  // Errors as ParseDumpConfig.
  absl::Status TakeInitText(const std::string& text);
  // aclmdlInitDump. ACL_ERROR_DUMP_ALREADY_RUN.
  absl::Status Begin();
  // aclmdlSetDump, for models that are loaded from now on. ACL_ERROR_DUMP_NOT_RUN before Begin;
  // ACL_ERROR_INVALID_FILE; as ParseDumpConfig.
  absl::Status Configure(const std::string& path);
  // aclmdlFinalizeDump. ACL_ERROR_DUMP_NOT_RUN before Begin.
  absl::Status End();

  // For every model that was loaded, before its first execution.
  void Watch(const Model& model);
  // For a model that is unloaded.
  void Forget(uint32_t model_id);
  // What writes the tensors of the model's next execution; null when it is not watched. Not to
  // outlive the model.
  TensorTap TapOf(const Model& model);

 private:
  struct Watched {
    std::shared_ptr<const DumpConfig> config;
    std::string folder;  // Of the model.
    uint64_t executions = 0;
  };

  Mutex mu_;
  bool from_init_ ABSL_GUARDED_BY(mu_) = false;
  bool begun_ ABSL_GUARDED_BY(mu_) = false;
  std::shared_ptr<const DumpConfig> config_ ABSL_GUARDED_BY(mu_);
  std::map<uint32_t, Watched> watched_ ABSL_GUARDED_BY(mu_);  // By model id.
};

}  // namespace omserve::hostacl
