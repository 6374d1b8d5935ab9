// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/symbols.h"

#include "runtime/base/errors.h"

namespace omserve::acl {
namespace {

struct Row {
  const char* name;
  bool is_strict;
  void (*set)(Symbols& symbols, void* address);
};

#define OMSERVE_ACL_ROW(name, is_strict)                                  \
  Row{#name, is_strict, [](Symbols& symbols, void* address) {             \
        symbols.name = reinterpret_cast<decltype(symbols.name)>(address); \
      }},
#define OMSERVE_ACL_STRICT(name) OMSERVE_ACL_ROW(name, true)
#define OMSERVE_ACL_OPTIONAL(name) OMSERVE_ACL_ROW(name, false)
// clang-format off
constexpr Row kRows[] = {
    OMSERVE_ACL_SYMBOLS(OMSERVE_ACL_STRICT, OMSERVE_ACL_OPTIONAL)
};
// clang-format on
#undef OMSERVE_ACL_OPTIONAL
#undef OMSERVE_ACL_STRICT
#undef OMSERVE_ACL_ROW

}  // namespace

absl::StatusOr<Symbols> ResolveSymbols(const DynamicLibrary& library) {
  Symbols symbols;
  for (const Row& row : kRows) {
    void* address = library.Find(row.name);
    if (address == nullptr && row.is_strict) {
      return Unavailable(
          "'{}' has no function {}: omserve needs CANN 5.0 or newer, or the libascendcl.so that is "
          "shipped with it",
          library.name(), row.name);
    }
    row.set(symbols, address);
  }
  return symbols;
}

}  // namespace omserve::acl
