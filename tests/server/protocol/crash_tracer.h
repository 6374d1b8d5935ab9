// SPDX-License-Identifier: Apache-2.0
// Work in a child process that is killed at a chosen step: before the n-th system call by which it
// would change a file. No code of the daemon knows of it: the kernel tells its parent, by ptrace.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace omserve::server {

// Whether this process may trace children; containers often forbid it.
bool MayTrace();

struct KilledRun {
  // "rename state.json": what it did or was about to do, in order, from `begin` on. The last is the
  // one that never happened, unless `done`.
  std::vector<std::string> steps;
  bool done = false;       // It was killed after its end.
  bool confirmed = false;  // It had come to its end, and well, as it said.
  std::string failure;     // Of the child by itself; empty: it was killed, as it should be.
};

// Begins what counts, when what goes before is over.
using Begin = std::function<void()>;
// Says whether what it did came to a good end. Runs in a child: this process must have one thread.
using CrashWork = std::function<bool(const Begin& begin)>;

// Kills before step `at`, from 1 on, that changes something in one of the folders; where there are
// not so many, after the end.
KilledRun KillAtStep(const std::vector<std::string>& folders, size_t at, const CrashWork& work);
// Without tracing, so without steps: so many microseconds after it began.
KilledRun KillAfter(int microseconds, const CrashWork& work);
// To its end, in a child as well; what it returns.
std::string RunInChild(const std::function<std::string()>& work);

}  // namespace omserve::server
