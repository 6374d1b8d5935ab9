// SPDX-License-Identifier: Apache-2.0
// Fault rules as the settings have them: an array of objects.
//
//   {"call": "aclrtMemcpyAsync", "nth": 3, "code": 507899}    the third call answers with the code
//   {"task": "execute", "model": "vision", "nth": 5, "code": 507011}   the fifth execution fails
//   {"task": "copy", "device": 0, "stream": 7, "hang": true}   "task": "execute", "copy" or "any"
//   {"task": "execute", "model": "text", "hold": true, "times": 0}   until the faults file is
//   another
//   {"task": "execute", "slow": 4.0}                           takes four times as long
//   {"memory": "exhausted", "after_bytes": 1048576}            no more than 1 MiB of device memory
//   {"memory": "exhausted", "nth": 7}                          the seventh allocation fails
//   {"device_lost": 507010, "device": 0, "task": "execute", "nth": 9}   or "call"; neither: at once
//
// "nth" (default 1) is the first that the rule takes effect on, "every": N then each N-th, "times"
// how often in all, 0 without end. "times" is 1 when left out, and without end beside "every",
// "slow" and "after_bytes".
#pragma once

#include <boost/json.hpp>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/hostacl/faults.h"

namespace omserve::hostacl {

// Whether this library has a function that rules may name.
using KnowsFunction = bool (*)(const char* name);

// Reads the array `rules`. Errors: ACL_ERROR_FILE_ATTR_INVALID naming the rule by its number from
// 0, the key, the value and what was expected; `origin` stands in front.
absl::StatusOr<std::vector<FaultRule>> ReadFaultRules(const boost::json::value& rules,
                                                      std::string_view origin,
                                                      KnowsFunction knows_function);

// The same from text: the array itself, or an object with the array under "faults".
// ACL_ERROR_PARSE_FILE where it is neither.
absl::StatusOr<std::vector<FaultRule>> ParseFaultRules(std::string_view text,
                                                       std::string_view origin,
                                                       KnowsFunction knows_function);

}  // namespace omserve::hostacl
