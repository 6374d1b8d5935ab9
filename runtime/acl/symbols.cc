// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/symbols.h"

#include "runtime/base/errors.h"

namespace omserve::acl {
namespace {

constexpr std::string_view kClassicRelease = "5.0";

#define OMSERVE_ACL_ROW(name, is_strict, since, fallback)                       \
  SymbolRow{#name,                                                              \
            is_strict,                                                          \
            since,                                                              \
            fallback,                                                           \
            [](const Symbols& symbols) { return symbols.name != nullptr; },     \
            [](Symbols& symbols, void* address) {                               \
              symbols.name = reinterpret_cast<decltype(symbols.name)>(address); \
            }},
#define OMSERVE_ACL_STRICT(name) OMSERVE_ACL_ROW(name, true, kClassicRelease, "")
#define OMSERVE_ACL_OPTIONAL(name, since, fallback) OMSERVE_ACL_ROW(name, false, since, fallback)
// clang-format off
constexpr SymbolRow kRows[] = {
    OMSERVE_ACL_STRICT_SYMBOLS(OMSERVE_ACL_STRICT)
    OMSERVE_ACL_OPTIONAL_SYMBOLS(OMSERVE_ACL_OPTIONAL)
};
// clang-format on
#undef OMSERVE_ACL_OPTIONAL
#undef OMSERVE_ACL_STRICT
#undef OMSERVE_ACL_ROW

}  // namespace

std::span<const SymbolRow> SymbolRows() { return kRows; }

absl::StatusOr<Symbols> ResolveSymbols(const DynamicLibrary& library) {
  Symbols symbols;
  std::string_view first_missing;
  size_t missing_count = 0;
  for (const SymbolRow& row : kRows) {
    void* address = library.Find(row.name.data());  // A literal: ends with 0.
    if (address == nullptr && row.is_strict) {
      first_missing = missing_count++ == 0 ? row.name : first_missing;
    }
    row.set(symbols, address);
  }
  if (missing_count == 0) {
    return symbols;
  }
  const std::string others =
      missing_count == 1 ? "" : fmt::format(" (nor {} others it must have)", missing_count - 1);
  return Unavailable(
      "'{}' has no function {}{}: omserve needs CANN {} or newer; source the set_env.sh of such a "
      "release, or name the libascendcl.so that is shipped with omserve",
      library.name(), first_missing, others, kClassicRelease);
}

}  // namespace omserve::acl
