// SPDX-License-Identifier: Apache-2.0
// What of AscendCL the suite must cover: a row for each function and for each rule that is none.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace omserve::hostacl {

// A case carries the ids of its rows as Catch tags: [1.4/aclrtStreamQuery], [rule/null-outputs].
struct ContractRow {
  // "1.1" init, "1.2" devices, "1.3" contexts, "1.4" streams, "1.5" events, "1.6" callbacks,
  // "1.7" memory, "1.8" data, "1.9" models, "1.11" dump and profiling; or "rule".
  std::string_view section;
  std::string_view name;   // The function's, or the rule's in words joined by hyphens.
  std::string_view since;  // The first release of CANN that has the function; "" where not known.
  std::string_view text;   // Of a rule: what it says. "" for a function.

  bool is_rule() const { return section == "rule"; }
  std::string id() const { return std::string(section) + '/' + std::string(name); }
};

// By section, in the order of AscendCL's headers; rules last.
std::span<const ContractRow> ContractRows();

// Whether a library may lack the function: it came after CANN 5.0. Every classic one is required.
bool IsOptional(const ContractRow& row);

}  // namespace omserve::hostacl
