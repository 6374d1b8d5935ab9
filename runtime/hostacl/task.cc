// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/task.h"

namespace omserve::hostacl {

std::string_view TaskTypeName(TaskType type) {
  switch (type) {
    case TaskType::kExecute:
      return "execute";
    case TaskType::kCopy:
      return "copy";
    case TaskType::kFill:
      return "fill";
    case TaskType::kRecord:
      return "record";
    case TaskType::kWait:
      return "wait";
    case TaskType::kCallback:
      return "callback";
    case TaskType::kHostFunction:
      return "host function";
  }
  return "task";
}

}  // namespace omserve::hostacl
