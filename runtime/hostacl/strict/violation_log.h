// SPDX-License-Identifier: Apache-2.0
// Where strict mode says what a program did wrong.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include "runtime/base/mutex.h"

namespace omserve::hostacl {

enum class StrictLevel {
  kOff,
  kReport,  // Says it and goes on.
  kAbort,   // Says it and ends the process, so that no test can pass over it.
};

enum class Violation {
  kUnorderedAccess,
  kUseAfterFree,
  kFreedInUse,
  kWrongContext,
  kStaleHandle,
  kModelOnTwoStreams,
  kPageableCopy,
  kLeak,
};
// "unordered_access", ...
std::string_view ViolationName(Violation violation);

// Thread-safe.
class ViolationLog final {
 public:
  // Besides standard error, each violation is a line of JSON appended to the file `path`, unless
  // empty: {"violation": "...", "text": "..."}.
  ViolationLog(StrictLevel level, std::string path) : level_(level), path_(std::move(path)) {}

  // Says each text once. Does not return for kAbort.
  void Report(Violation violation, const std::string& text) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  const StrictLevel level_;
  const std::string path_;

  Mutex mu_;
  std::set<std::string> said_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::hostacl
