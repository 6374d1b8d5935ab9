// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/symbols.h"

#include "runtime/base/errors.h"

namespace omserve::acl {
namespace {

template <typename Function>
bool Resolve(const DynamicLibrary& library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(library.Find(name));
  return *function != nullptr;
}

}  // namespace

absl::StatusOr<Symbols> ResolveSymbols(const DynamicLibrary& library) {
  Symbols symbols;
  const char* missing = nullptr;
#define OMSERVE_ACL_STRICT(name)                                       \
  if (!Resolve(library, #name, &symbols.name) && missing == nullptr) { \
    missing = #name;                                                   \
  }
#define OMSERVE_ACL_OPTIONAL(name) Resolve(library, #name, &symbols.name);
  OMSERVE_ACL_SYMBOLS(OMSERVE_ACL_STRICT, OMSERVE_ACL_OPTIONAL)
#undef OMSERVE_ACL_STRICT
#undef OMSERVE_ACL_OPTIONAL
  if (missing != nullptr) {
    return Unavailable(
        "'{}' has no function {}: omserve needs CANN 5.0 or newer, or the libascendcl.so that is "
        "shipped with it",
        library.name(), missing);
  }
  return symbols;
}

}  // namespace omserve::acl
