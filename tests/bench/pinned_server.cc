// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/pinned_server.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"

extern char** environ;  // NOLINT: POSIX has it so.

namespace omserve::bench {
namespace {

constexpr int kLookMs = 20;
constexpr int kPatienceMs = 60'000;

int PortIn(const std::string& ready, const char* name) {
  boost::json::error_code error;
  const boost::json::value parsed = boost::json::parse(ready, error);
  const boost::json::object* object = error ? nullptr : parsed.if_object();
  const boost::json::value* port = object == nullptr ? nullptr : object->if_contains(name);
  return port != nullptr && port->is_int64() ? static_cast<int>(port->as_int64()) : 0;
}

}  // namespace

absl::Status PinToCores(const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) {
    CPU_SET(static_cast<size_t>(core), &set);
  }
  return sched_setaffinity(0, sizeof(set), &set) == 0
             ? absl::OkStatus()
             : Unavailable("this process cannot run on core {}", fmt::join(cores, ", "));
}

absl::StatusOr<std::unique_ptr<PinnedServer>> PinnedServer::Start(
    const std::string& program, std::vector<std::string> arguments, const std::string& ready_file,
    const std::vector<int>& cores, int own_core) {
  unlink(ready_file.c_str());
  arguments.insert(arguments.begin(), program);
  arguments.insert(arguments.end(), {"--ready-file", ready_file});
  std::vector<char*> argv;
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  pid_t pid = -1;
  RETURN_IF_ERROR(PinToCores(cores));  // The child inherits it.
  const int spawned = posix_spawn(&pid, program.c_str(), nullptr, nullptr, argv.data(), environ);
  RETURN_IF_ERROR(PinToCores({own_core}));
  if (spawned != 0) {
    return Unavailable("{} cannot be started", program);
  }
  std::unique_ptr<PinnedServer> server(new PinnedServer(pid));  // NOLINT: private constructor.
  for (int waited = 0; waited < kPatienceMs; waited += kLookMs) {
    poll(nullptr, 0, kLookMs);
    if (const absl::StatusOr<std::string> ready = ReadFile(ready_file); ready.ok()) {
      server->grpc_port_ = PortIn(*ready, "grpc_port");
      server->http_port_ = PortIn(*ready, "http_port");
      if (server->grpc_port_ != 0) {
        return server;
      }
    }
    if (kill(pid, 0) != 0 || waitpid(pid, nullptr, WNOHANG) == pid) {
      break;
    }
  }
  return Unavailable("{} did not become ready", program);
}

PinnedServer::~PinnedServer() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

double PinnedServer::CpuSeconds() const {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &time) != 0) {
    return 0;
  }
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double PinnedServer::CpuSecondsOf(const std::string& prefix) const {
  double seconds = 0;
  std::error_code error;
  const std::string tasks = "/proc/" + std::to_string(pid_) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    std::string name;
    double run_ns = 0;
    std::ifstream(task.path() / "comm") >> name;
    std::ifstream(task.path() / "schedstat") >> run_ns;  // The first of its numbers.
    if (name.starts_with(prefix)) {
      seconds += run_ns * 1e-9;
    }
  }
  return seconds;
}

}  // namespace omserve::bench
