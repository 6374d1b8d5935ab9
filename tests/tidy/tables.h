// SPDX-License-Identifier: Apache-2.0
// What the rules look for, and who is excused from what. An exception is added here, with its
// reason, in the same commit as the code that needs it.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace omserve::tidy {

inline constexpr size_t kColumnsMax = 100;
// A line with a longer word (an address, a checksum) cannot be broken and may be as long as it is.
inline constexpr size_t kWordMax = 60;
inline constexpr size_t kLinesMax = 800;
// The licence line stands first, or second below a #! line.
inline constexpr size_t kLicenceLines = 2;

struct Ban {
  std::string_view text;
  // Ends at a word's end too: "throw" is not in "throws", nor "std::thread" in "std::thread::id".
  // All start at a word's start.
  bool whole_word;
  std::string_view remedy;
};

// Looked for in the code of C++ files, outside comments and literals.
inline constexpr Ban kBans[] = {
    {"throw", true, "errors are returned: absl::Status, runtime/base/errors.h"},
    {"catch (", false, "use the non-throwing form, or list the one file that calls what throws"},
    {"catch(", false, "use the non-throwing form, or list the one file that calls what throws"},
    {"steady_clock::now", true, "take time from the injected Clock, runtime/base/clock.h"},
    {"system_clock::now", true, "take time from the injected Clock, runtime/base/clock.h"},
    {"sleep_for", true, "wait on a CondVar through Clock::WaitUntil"},
    {"sleep_until", true, "wait on a CondVar through Clock::WaitUntil"},
    {"usleep", true, "wait on a CondVar through Clock::WaitUntil"},
    {"nanosleep", true, "wait on a CondVar through Clock::WaitUntil"},
    {"getenv", true, "settings come in through config and constructor arguments"},
    {"detach(", false, "threads are std::jthread members, joined by their owner"},
    {"std::async", true, "threads are std::jthread members, joined by their owner"},
    {"std::thread", true, "use StartThread, runtime/base/thread.h"},
    {"std::mutex", true, "use Mutex, runtime/base/mutex.h"},
    {"std::shared_mutex", true, "use Mutex, runtime/base/mutex.h"},
    {"std::lock_guard", true, "use MutexLock, runtime/base/mutex.h"},
    {"std::unique_lock", true, "use MutexLock, runtime/base/mutex.h"},
    {"std::scoped_lock", true, "use MutexLock, runtime/base/mutex.h"},
    {"std::condition_variable", true, "use CondVar, runtime/base/mutex.h"},
    {"absl::Mutex", true, "use Mutex, runtime/base/mutex.h"},
    {"absl::MutexLock", true, "use MutexLock, runtime/base/mutex.h"},
    {"absl::Notification", true, "use Mutex and CondVar, runtime/base/mutex.h"},
    {"absl::BlockingCounter", true, "use std::latch"},
    {"std::cout", true, "log with OMSERVE_LOG; tools print with fmt::print"},
    {"std::cerr", true, "log with OMSERVE_LOG; tools print with fmt::print(stderr, ...)"},
    {"std::views", true, "clang 14 does not compile it; use std::ranges algorithms or a loop"},
    {"std::source_location", true, "clang 14 has none; use __FILE__ and __LINE__ in a macro"},
};

struct Exception {
  std::string_view file;  // A file, or a folder when it ends in '/'.
  std::string_view text;  // A ban's text, or the file an #include names.
  std::string_view reason;
};

inline constexpr std::string_view kTooLong = "lines";  // Excuses from kLinesMax.
inline constexpr Exception kExceptions[] = {
    {"runtime/base/steady_clock.cc", "steady_clock::now", "the one place real time comes from"},
    {"runtime/base/mutex.h", "std::mutex", "what Mutex wraps"},
    {"runtime/base/mutex.h", "std::unique_lock", "what a condition variable waits with"},
    {"runtime/base/mutex.h", "std::condition_variable", "what CondVar wraps"},
    {"runtime/hostacl/settings.cc", "getenv",
     "a library behind a fixed C interface has no other way to be told its settings"},
    {"server/device_settings.cc", "getenv",
     "ASCEND_RT_VISIBLE_DEVICES is AscendCL's own setting, which omserve only looks at"},
    {"tools/omc/seal_keys.cc", "getenv", "--key-env names the variable that a key is in"},
    {"server/core/model_keys.cc", "getenv", "key_environment names the variable that a key is in"},
    {"runtime/base/json_fields.cc", "throw", "how Boost.JSON wants to be told that memory ends"},
    {"runtime/base/json_fields.cc", "catch (", "how Boost.JSON tells that memory has ended"},
    {"runtime/base/thread.cc", "catch (", "std::jthread has no other way to fail"},
    {"config/yaml_tree.cc", "catch (", "yaml-cpp reports syntax errors by throwing"},
    {"tools/omctl/main.cc", "catch (", "CLI11 reports wrong arguments by throwing"},
    {"tools/omc/main.cc", "catch (", "CLI11 reports wrong arguments by throwing"},
    {"server/flags.cc", "catch (", "CLI11 reports wrong arguments by throwing"},
    {"server/grpc/", "system_clock::now", "gRPC's deadlines are on the wall clock"},
    {"server/daemon.cc", "system_clock::now",
     "the wall clock that is handed in to what dates things"},
    {"tools/client/", "system_clock::now", "gRPC's deadlines are on the wall clock"},
    {"tools/omctl/bench/grpc_transport.cc", "system_clock::now",
     "gRPC's deadlines are on the wall clock"},
    {"tools/client/", "steady_clock::now", "measures for a person; no test moves its time"},
    {"tools/demo/", "steady_clock::now", "measures for a person; no test moves its time"},
    {"tests/", "std::thread", "tests join in the same block, and need no names in a profiler"},
    {"tools/omc/trust_commands.cc", "system_clock::now",
     "certificates are valid by the wall clock"},
    {"tests/server/", "system_clock::now", "gRPC's deadlines are on the wall clock"},
    {"tests/sim/scheduler_sim.cc", "std::cout", "a replay is made to be read"},
    {"tests/", "getenv", "a test is told by the environment which device it runs on"},
    {"tests/bench/", "steady_clock::now", "measures real time"},
};

// Third-party headers and the only folders that know them.
struct IncludeRule {
  std::string_view header_prefix;
  std::array<std::string_view, 6> folders;  // Empty: none.
  std::string_view remedy;
};
inline constexpr IncludeRule kIncludeRules[] = {
    {"grpcpp/",
     {"server/grpc/", "tools/client/", "tools/omctl/", "tools/demo/", "tests/"},
     "gRPC stays at the edge"},
    {"boost/beast",
     {"server/http/", "tools/client/", "tools/omctl/", "tools/demo/", "tests/"},
     "HTTP stays at the edge"},
    {"boost/asio",
     {"server/http/", "tools/client/", "tools/omctl/", "tools/demo/", "tests/"},
     "HTTP stays at the edge"},
    {"prometheus/", {"server/core/", "tests/"}, "metrics are exported in one place"},
    {"spdlog/", {"runtime/base/log.cc"}, "log through runtime/base/log.h"},
    {"curl/", {"runtime/source/"}, "read models through runtime/source"},
    {"onnxruntime", {"runtime/hostacl/", "tools/omc/", "tests/"}, "only the CPU device runs ONNX"},
};

// What of ours a folder may include; the first row that fits a file counts. Lower folders stand in
// rows of their own because the order among them matters; tests may include anything.
struct Layer {
  std::string_view folder;
  std::array<std::string_view, 14> may_include;
};
inline constexpr Layer kLayers[] = {
    {"runtime/base/", {"runtime/base/"}},
    {"runtime/om/", {"runtime/base/", "runtime/om/", "proto/"}},
    {"runtime/trust/", {"runtime/base/", "runtime/trust/"}},
    {"runtime/sealed/", {"runtime/base/", "runtime/sealed/"}},
    {"runtime/source/", {"runtime/base/", "runtime/source/"}},
    {"runtime/acl/", {"runtime/base/", "runtime/om/", "runtime/acl/"}},
    {"runtime/hostacl/",
     {"runtime/base/", "runtime/om/", "runtime/hostacl/", "runtime/acl/acl_abi.h", "proto/"}},
    {"runtime/",
     {"runtime/base/", "runtime/om/", "runtime/acl/", "runtime/memory/", "runtime/registry/",
      "runtime/hostops/", "runtime/health/", "runtime/sealed/", "runtime/trust/"}},
    {"scheduler/",
     {"runtime/base/", "runtime/om/", "runtime/acl/", "runtime/memory/", "runtime/registry/",
      "runtime/hostops/", "scheduler/"}},
    {"config/",
     {"runtime/base/", "runtime/om/", "runtime/acl/", "runtime/memory/", "runtime/registry/",
      "runtime/hostops/", "runtime/sealed/", "runtime/trust/", "scheduler/", "config/", "proto/"}},
    {"server/core/",
     {"runtime/base/", "runtime/om/", "runtime/acl/", "runtime/memory/", "runtime/registry/",
      "runtime/hostops/", "runtime/health/", "runtime/sealed/", "runtime/source/", "runtime/trust/",
      "scheduler/", "config/", "server/core/", "proto/"}},
};
// Above server/core only a few arrows are forbidden.
struct ForbiddenArrow {
  std::string_view folder;
  std::string_view header_prefix;
};
inline constexpr ForbiddenArrow kForbiddenArrows[] = {
    {"server/grpc/", "server/http/"},
    {"server/http/", "server/grpc/"},
    {"server/", "runtime/hostacl/"},
    {"tools/", "runtime/hostacl/"},
    {"server/", "tools/"},
    {"server/", "tests/"},
    {"tools/", "tests/"},
};
inline constexpr std::string_view kOurFolders[] = {"runtime/", "scheduler/", "config/", "server/",
                                                   "tools/",   "tests/",     "proto/"};

// Folders of a person's machine and hosts of packages. In two pieces, so that this file does not
// mention what it forbids.
struct ForeignPlace {
  std::string_view start;
  std::string_view rest;
};
inline constexpr ForeignPlace kForeignPlaces[] = {
    {"/wo", "rk/"},
    {"/ho", "me/"},
    {"/ro", "ot/"},
    {"/tmp/", "bash"},
    {"registry.npm", "js"},
    {"pypi.", "org"},
    {"pythonhosted.", "org"},
    {"crates", ".io"},
    {"proxy.go", "lang.org"},
    {"deb.deb", "ian.org"},
    {"registry-1.", "docker"},
    {"artifact", "ory"},
};

}  // namespace omserve::tidy
