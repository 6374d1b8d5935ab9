// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/hostacl/contract/isolation.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string_view>
#include <vector>

namespace omserve::hostacl {
namespace {

constexpr unsigned kLimitSeconds = 60;

}  // namespace

std::string RunInOwnProcess(std::span<char* const> arguments, const std::string& name) {
  std::string only = "--only";
  std::string case_name = name;
  std::vector<char*> child_arguments;
  for (char* argument : arguments) {
    if (std::string_view(argument) != "--isolate") {
      child_arguments.push_back(argument);
    }
  }
  child_arguments.push_back(only.data());
  child_arguments.push_back(case_name.data());
  child_arguments.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    // Kept over execv: the signal ends the process wherever it is.
    alarm(kLimitSeconds);
    execv("/proc/self/exe", child_arguments.data());
    _exit(127);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) {
    return "no process could be started for it";
  }
  if (WIFSIGNALED(status)) {
    return WTERMSIG(status) == SIGALRM
               ? fmt::format("it took more than {} s and was ended", kLimitSeconds)
               : fmt::format("ended by signal {}", WTERMSIG(status));
  }
  return WEXITSTATUS(status) == 0 ? "" : fmt::format("exit code {}", WEXITSTATUS(status));
}

}  // namespace omserve::hostacl
