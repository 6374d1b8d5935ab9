// SPDX-License-Identifier: Apache-2.0
// The C interface: several models in one file.
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/entry.h"

namespace omserve::hostacl {
namespace {

absl::Status NoBundles(const char* function) {
  return Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
              "{}: bundles are not supported by this device; load their models one by one",
              function);
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Enter;

aclError aclmdlBundleLoadFromFile(const char* /*modelPath*/, uint32_t* /*bundleId*/) noexcept {
  return Enter(__func__, [] { return omserve::hostacl::NoBundles("aclmdlBundleLoadFromFile"); });
}

aclError aclmdlBundleGetModelNum(uint32_t /*bundleId*/, size_t* /*modelNum*/) noexcept {
  return Enter(__func__, [] { return omserve::hostacl::NoBundles("aclmdlBundleGetModelNum"); });
}

aclError aclmdlBundleGetModelId(uint32_t /*bundleId*/, size_t /*index*/,
                                uint32_t* /*modelId*/) noexcept {
  return Enter(__func__, [] { return omserve::hostacl::NoBundles("aclmdlBundleGetModelId"); });
}

aclError aclmdlBundleUnload(uint32_t /*bundleId*/) noexcept {
  return Enter(__func__, [] { return omserve::hostacl::NoBundles("aclmdlBundleUnload"); });
}
