// SPDX-License-Identifier: Apache-2.0
// Files of a repository that are written, half written and overwritten while the daemon serves.
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/base/file.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/repository_client.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

constexpr char kOverwritten[] = "omserve_model_files_overwritten";

// Looks at the folders so rarely that what is seen was told by them.
void Watching(ServerConfig& config) {
  Polling(config);
  config.mutable_repository()->set_poll_seconds(3600);
}

// As `cp` over a file does: what has it open or mapped sees it change.
void Overwrite(const std::string& path, const std::string& contents) {
  std::ofstream out(path, std::ios::trunc | std::ios::binary);
  out << contents;
  REQUIRE(out.good());
}

// Whether the model's versions are the same loads for a while.
bool StaysSo(const TestDaemon& daemon, double loads) {
  Pause(std::chrono::milliseconds(700));
  return Metric(daemon.http_port(), "omserve_model_loads_total") == loads;
}

}  // namespace

// A folder that tells of its changes is followed at once.
TEST_CASE("Repository: changes are watched", "[1.12/mode-poll]") {
  Repository repository;
  repository.AddText("first");
  TestDaemon daemon(repository, Watching);
  Client& client = daemon.client();
  repository.AddText("second");
  CHECK(AwaitLine(client, "second:1", "READY") == "READY");
  // As a whole, by renaming the folder.
  Repository elsewhere;
  elsewhere.AddText("third");
  std::filesystem::copy(elsewhere.path() + "/third/1", repository.path() + "/first/.2",
                        std::filesystem::copy_options::recursive);
  CHECK(StaysSo(daemon, 2));
  std::filesystem::rename(repository.path() + "/first/.2", repository.path() + "/first/2");
  CHECK(AwaitLine(client, "first:2", "READY") == "READY");
  std::filesystem::remove_all(repository.path() + "/second");
  CHECK(AwaitLine(client, "second:1", "").empty());
}

// A version that comes or goes leaves the others as they are: they are not loaded again.
TEST_CASE("Repository: only what has changed is loaded", "[1.12/mode-poll]") {
  Repository repository;
  repository.AddText("text", "version_policy: {all: {}}\n");
  TestDaemon daemon(repository, Watching);
  Client& client = daemon.client();
  repository.AddModel("text", "text", "", "1,2", 2);
  CHECK(AwaitLine(client, "text:2", "READY") == "READY");
  CHECK(Metric(daemon.http_port(), "omserve_model_loads_total") == 2);
  std::filesystem::remove_all(repository.path() + "/text/1");
  CHECK(AwaitLine(client, "text:1", "UNAVAILABLE unloaded") == "UNAVAILABLE unloaded");
  CHECK(StaysSo(daemon, 2));
  // What belongs to all versions concerns all.
  repository.Write("text/config.yaml", "max_batch_size: 2\nversion_policy: {all: {}}\n");
  AwaitMetric(daemon.http_port(), "omserve_model_loads_total", 3);
  CHECK(VersionOf(client, "text") == "2");
}

// However long a copy takes, and whatever its first half looks like: nothing of it is loaded before
// it is closed.
TEST_CASE("Repository: a file that is being copied", "[1.12/mode-poll]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, Watching);
  Client& client = daemon.client();
  const std::string om = VALUE(ReadFile(repository.path() + "/text/1/model.om"));
  std::filesystem::create_directories(repository.path() + "/text/2");
  std::ofstream out(repository.path() + "/text/2/model.om", std::ios::binary);
  for (const size_t half : {om.size() / 2, om.size() - om.size() / 2}) {
    out.write(om.data() + (half == om.size() / 2 ? 0 : om.size() / 2),
              static_cast<std::streamsize>(half));
    out.flush();
    CHECK(StaysSo(daemon, 1));
  }
  CHECK(VersionOf(client, "text") == "1");
  out.close();
  CHECK(AwaitLine(client, "text:2", "READY") == "READY");
  CHECK(VersionOf(client, "text") == "2");
  CHECK(Metric(daemon.http_port(), "omserve_model_load_failures_total") == 0);
}

// What serves does not read its file any more; that somebody has written into it is told, and the
// new contents are loaded when they come as a file of their own. Other versions come as ever.
TEST_CASE("Repository: a file that is overwritten while it serves", "[1.12/mode-poll]") {
  for (const bool polls : {false, true}) {
    INFO("polls " << polls);
    Repository repository;
    repository.AddText("text", "version_policy: {all: {}}\n");
    TestDaemon daemon(repository, [&](ServerConfig& config) {
      polls ? Watching(config) : Explicit({"text"})(config);
      config.mutable_repository()->set_poll_seconds(polls ? 3600 : 1);
    });
    Client& client = daemon.client();
    const int port = daemon.http_port();
    const std::string path = repository.path() + "/text/1/model.om";
    const std::string om = VALUE(ReadFile(path));
    CHECK(Metric(port, kOverwritten) == 0);
    for (const std::string& contents : {om.substr(0, 1000), std::string(), om + om}) {
      Overwrite(path, contents);
      CHECK(Answers(client, "text"));
      AwaitMetric(port, kOverwritten, 1);
      CHECK(StaysSo(daemon, 1));
      CHECK(Answers(client, "text"));
    }
    CHECK(Metric(port, "omserve_model_load_failures_total") == 0);
    if (polls) {
      repository.AddModel("text", "text", "", "1,2", 2);
      CHECK(AwaitLine(client, "text:2", "READY") == "READY");
      CHECK(StaysSo(daemon, 2));
      CHECK(Metric(port, kOverwritten) == 1);
    }
    repository.Write("text/1/model.om", om);
    if (!polls) {
      REQUIRE(Load(client, "text").ok());
    }
    AwaitMetric(port, "omserve_model_loads_total", polls ? 3 : 2);
    AwaitMetric(port, kOverwritten, 0);
    CHECK(Answers(client, "text"));
  }
}

}  // namespace omserve::server
