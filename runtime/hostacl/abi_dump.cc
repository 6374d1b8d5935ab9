// SPDX-License-Identifier: Apache-2.0
// The C interface: dump.
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/runtime.h"

namespace omserve::hostacl {
namespace {

absl::Status InitDump() {
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  return runtime->dump().Begin();
}

absl::Status SetDump(const char* path) {
  if (path == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclmdlSetDump: the path is null");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  return runtime->dump().Configure(path);
}

absl::Status FinalizeDump() {
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  return runtime->dump().End();
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Enter;

aclError aclmdlInitDump() noexcept {
  return Enter(__func__, [] { return omserve::hostacl::InitDump(); });
}

aclError aclmdlSetDump(const char* dumpCfgPath) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::SetDump(dumpCfgPath); });
}

aclError aclmdlFinalizeDump() noexcept {
  return Enter(__func__, [] { return omserve::hostacl::FinalizeDump(); });
}
