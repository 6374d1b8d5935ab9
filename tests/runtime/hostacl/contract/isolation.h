// SPDX-License-Identifier: Apache-2.0
// One case in a process of its own, so that a library which crashes or hangs fails only that case.
#pragma once

#include <span>
#include <string>

namespace omserve::hostacl {

// Starts this program with its own `arguments` and "--only name", and waits for it; a case that
// takes longer than a minute is ended. Gives "" when it passed, else what it came to.
std::string RunInOwnProcess(std::span<char* const> arguments, const std::string& name);

}  // namespace omserve::hostacl
