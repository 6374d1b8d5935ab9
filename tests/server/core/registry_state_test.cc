// SPDX-License-Identifier: Apache-2.0
// What is kept of labels and traffic, and what a machine that stops at any moment leaves of it.
#include "server/core/registry_state.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
namespace fs = std::filesystem;

constexpr char kFile[] = "registry_state.json";

absl::Status Move(RegistryState& state, const std::string& model, int64_t version) {
  return state.Change(
      model, [=](ModelRecord& record) { return MoveLabel("stable", version, record.routes); },
      [](const ModelRecord&) {});
}

int64_t Stable(const RegistryState& state, const std::string& model) {
  const ModelRecord record = state.Get(model);
  const auto found = record.routes.labels.find("stable");
  return found == record.routes.labels.end() ? 0 : found->second;
}

TEST_CASE("State is there again after a restart") {
  fs::remove(kFile);
  {
    const auto state = VALUE(RegistryState::Open(kFile));
    REQUIRE_OK(Move(*state, "m", 3));
    REQUIRE_OK(Move(*state, "m", 4));
    REQUIRE_OK(Move(*state, "other \"model\"", 1));
    REQUIRE_OK(state->Change(
        "m",
        [](ModelRecord& record) {
          return SetTraffic({{"stable", 100}}, record.routes);
        },
        [](const ModelRecord&) {}));
  }
  const auto state = VALUE(RegistryState::Open(kFile));
  CHECK(state->All().size() == 2);
  const ModelRoutes routes = state->Get("m").routes;
  CHECK(routes.labels.at("stable") == 4);
  CHECK(routes.previous.at("stable") == 3);
  CHECK(routes.traffic == std::vector<TrafficShare>{{"stable", 100}});
  CHECK(VALUE(ParseRecords(FormatRecords(state->All()))) == state->All());
}

// What fails changes nothing: neither what is refused nor what cannot be written.
TEST_CASE("A change that fails leaves the state as it was") {
  fs::remove_all("registry_state_folder");
  fs::create_directories("registry_state_folder");
  const auto state = VALUE(RegistryState::Open("registry_state_folder/state.json"));
  REQUIRE_OK(Move(*state, "m", 3));
  CHECK(Move(*state, "m", 4).ok());
  const absl::Status refused = state->Change(
      "m",
      [](ModelRecord& record) {
        record.routes.labels.clear();
        return FailedPrecondition("no");
      },
      [](const ModelRecord&) { FAIL("it has not changed"); });
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Stable(*state, "m") == 4);
  fs::remove_all("registry_state_folder");
  const absl::Status unwritten = Move(*state, "m", 5);
  CHECK(unwritten.code() == absl::StatusCode::kUnavailable);
  CHECK_THAT(std::string(MessageOf(unwritten)), Contains("repository.state_file"));
  CHECK(Stable(*state, "m") == 4);
}

// What somebody has broken is not passed over: it could bring back what was taken back.
TEST_CASE("A broken state is refused with what to do") {
  for (const char* text :
       {"", "{", "[]", "{}", R"({"format": 2, "models": {}})", R"({"format": 1, "models": []})",
        R"({"format": 1, "models": {"m": 1}})", R"({"format": 1, "models": {"m": {}}})",
        R"({"format": 1, "models": {"m": {"labels": {"9": 1}, "previous": {}, "traffic": []}}})",
        R"({"format": 1, "models": {"m": {"labels": {"a": 0}, "previous": {}, "traffic": []}}})",
        R"({"format": 1, "models": {"m": {"labels": {"a": 1}, "previous": {}, "traffic": [
            {"label": "a", "percent": 50}]}}})"}) {
    INFO(text);
    REQUIRE_OK(WriteFileAtomically(kFile, text));
    const absl::Status status = RegistryState::Open(kFile).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK_THAT(std::string(MessageOf(status)),
               Contains("repository.state_file 'registry_state.json'") && Contains("put it right"));
  }
}

TEST_CASE("Without a file nothing is kept") {
  const auto state = VALUE(RegistryState::Open(""));
  REQUIRE_OK(Move(*state, "m", 3));
  CHECK(Stable(*state, "m") == 3);
}

// Killed at any moment of any write: what is found is what was there before the change or after it.
TEST_CASE("A daemon that is killed leaves the old state or the new one") {
  fs::remove(kFile);
  int64_t at_least = 0;
  for (int round = 0; round < 60; ++round) {
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t child = fork();
    if (child == 0) {
      // Tells each version that is kept, by one byte, when it is.
      absl::StatusOr<std::unique_ptr<RegistryState>> state = RegistryState::Open(kFile);
      if (!state.ok()) {
        _exit(3);
      }
      for (int64_t version = Stable(**state, "m") + 1;; ++version) {
        if (!Move(**state, "m", version).ok() ||
            write(ready[1], &version, sizeof version) != sizeof version) {
          _exit(4);
        }
      }
    }
    close(ready[1]);
    int64_t told = 0;
    for (int i = 0; i <= round % 7; ++i) {
      REQUIRE(read(ready[0], &told, sizeof told) == sizeof told);
    }
    poll(nullptr, 0, round % 2);
    kill(child, SIGKILL);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    int64_t more = 0;
    while (read(ready[0], &more, sizeof more) == sizeof more) {
      told = more;
    }
    close(ready[0]);
    const auto state = VALUE(RegistryState::Open(kFile));
    const int64_t found = Stable(*state, "m");
    CHECK(found >= told);  // What was said to be kept is kept,
    CHECK(found <= told + 1);
    CHECK(found > at_least);
    if (found > 1) {
      CHECK(state->Get("m").routes.previous.at("stable") == found - 1);
    }
    at_least = found;
  }
}

}  // namespace
}  // namespace omserve::server
