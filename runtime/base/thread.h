// SPDX-License-Identifier: Apache-2.0
// Named threads. Each is a member of its owner, which joins it (jthread does at destruction).
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace omserve {

// Names the calling thread as the kernel and profilers show it; at most 15 characters are kept.
void NameThisThread(const std::string& name);

// From now on the calling thread, when it is woken on a processor that another thread works on,
// waits for its turn instead of interrupting that one at once.
void WaitForTurns();

// One step beyond what nice(1) knows: only processors that nobody else wants, which whoever wakes
// takes over at once (SCHED_IDLE). At any other niceness a thread that runs may finish its turn of
// some milliseconds first. On a machine without a pause such a thread hardly gets on.
inline constexpr int kOnlyWhenIdle = 20;

// From now on the calling thread, and those that it starts, leave the processors to others by as
// much as nice(1) has it: 0 not at all, 19 the most; or kOnlyWhenIdle. For good: it takes a
// privilege to go back.
void Yield(int niceness);

// Lets threads go first that wait for the processor of the calling one, if it has gone on for half
// a millisecond. For long work that yields, between pieces of some 100 us: a kernel that shares
// turns out by what each thread has had (EEVDF, Linux 6.6) may prefer who yields to who does not
// for as long as a tick of its clock, 4 ms, if the one that does not has just had a turn.
void GiveWay();

// Starts `body` on a thread named `name`. An exception leaving `body` ends the process.
std::jthread StartThread(std::string name, std::function<void()> body);

// The same; where the system has no more threads, one that is not joinable, and `body` does not
// run: for help that one can do without.
std::jthread TryStartThread(std::string name, std::function<void()> body);

}  // namespace omserve
