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

// Starts `body` on a thread named `name`. An exception leaving `body` ends the process.
std::jthread StartThread(std::string name, std::function<void()> body);

}  // namespace omserve
