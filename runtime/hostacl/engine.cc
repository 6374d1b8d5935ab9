// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/engine.h"

#include "runtime/hostacl/acl_status.h"

namespace omserve::hostacl {

absl::Status Session::RunSizing(const Placement& /*placement*/,
                                std::span<const TensorView> /*inputs*/,
                                const OutputSink& /*sink*/) const {
  return Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
              "this engine computes no model of dynamic shape; compile it with gears");
}

}  // namespace omserve::hostacl
