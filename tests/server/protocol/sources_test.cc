// SPDX-License-Identifier: Apache-2.0
// Models that come from somewhere else: a web server (nginx), a folder; and versions that say by a
// SHA256SUMS what belongs to them.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <string>

#include "runtime/base/descriptor.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "tests/loopback_address.h"
#include "tests/runtime/source/nginx.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/repository_client.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using source::Files;
using source::Nginx;

// The text model as versions, which are of different bytes.
std::string Compiled(const std::string& gears) {
  const Repository repository;
  repository.AddModel("text", "text", "", gears);
  return VALUE(ReadFile(repository.path() + "/text/1/model.om"));
}

SourceConfig& AddSource(ServerConfig& config, const std::string& url) {
  SourceConfig& source = *config.mutable_repository()->add_sources();
  source.set_url(url);
  source.set_every_seconds(1);
  return source;
}

// A model is there when the daemon is, a new version follows, and a damaged file is refused by its
// name while what serves goes on; mended, it serves.
TEST_CASE("Sources: a model from nginx") {
  const Nginx nginx;
  const std::string one = Compiled("1,2,4,8");
  const std::string two = Compiled("1,2,4");
  Files files = {{"text/1/model.om", one}, {"text/config.yaml", "max_batch_size: 4\n"}};
  nginx.site().Publish(files);
  const Repository repository;
  TestDaemon daemon(repository, [&nginx](ServerConfig& config) {
    Polling(config);
    AddSource(config, nginx.Https()).set_ca_file(nginx.ca_file());
  });
  Client& client = daemon.client();
  CHECK(Index(client)["text:1"] == "READY");
  CHECK(VersionOf(client, "text") == "1");

  files["text/2/model.om"] = two;
  nginx.site().Publish(files);
  CHECK(AwaitLine(client, "text:2", "READY") == "READY");
  CHECK(VersionOf(client, "text") == "2");
  AwaitMetric(daemon.http_port(), "omserve_source_versions_total", 2);
  CHECK(Metric(daemon.http_port(), "omserve_source_failures_total") == 0);
  CHECK(Metric(daemon.http_port(), "omserve_source_files_total") == 3);
  CHECK(*Metric(daemon.http_port(), "omserve_source_fetched_bytes_total") >=
        static_cast<double>(one.size() + two.size()));
  CHECK(*Metric(daemon.http_port(), "omserve_source_last_success_timestamp_seconds") > 1e9);

  // The list is of other bytes than are there.
  files["text/3/model.om"] = one;
  nginx.site().Publish(files);
  nginx.site().Write("text/3/model.om", two);
  bool has_failed = false;
  for (int i = 0; i < 1000 && !has_failed; ++i) {
    has_failed = *Metric(daemon.http_port(), "omserve_source_failures_total") > 0;
    Pause(std::chrono::milliseconds(10));
  }
  CHECK(has_failed);
  CHECK_FALSE(std::filesystem::exists(repository.path() + "/text/3"));
  CHECK(VersionOf(client, "text") == "2");
  nginx.site().Publish(files);
  CHECK(AwaitLine(client, "text:3", "READY") == "READY");
  CHECK(VersionOf(client, "text") == "3");

  // What the source takes back goes.
  files.erase("text/2/model.om");
  files.erase("text/3/model.om");
  nginx.site().Remove("text/2");
  nginx.site().Publish(files);
  CHECK(AwaitLine(client, "text:3", "UNAVAILABLE unloaded") == "UNAVAILABLE unloaded");
  CHECK(VersionOf(client, "text") == "1");
}

// Without poll, what has come is found when it is asked for.
TEST_CASE("Sources: models that are asked for") {
  const source::ScratchFolder site;
  site.Publish({{"text/1/model.om", Compiled("1")}});
  const Repository repository;
  TestDaemon daemon(repository, [&site](ServerConfig& config) {
    Explicit({})(config);
    AddSource(config, "file://" + site.path());
  });
  CHECK_FALSE(Answers(daemon.client(), "text"));
  REQUIRE(Load(daemon.client(), "text").ok());
  CHECK(Answers(daemon.client(), "text"));
}

// A source that does not answer keeps the daemon neither from starting with what is there nor from
// ending.
TEST_CASE("Sources: one that does not answer") {
  Repository repository;
  repository.AddText();
  // Nobody takes its connections.
  const Descriptor silent(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr address = LoopbackAddress(0);
  socklen_t size = sizeof(address);
  REQUIRE(bind(silent.get(), &address, size) == 0);
  REQUIRE(listen(silent.get(), 4) == 0);
  REQUIRE(getsockname(silent.get(), &address, &size) == 0);
  sockaddr_in in{};
  std::memcpy(&in, &address, sizeof(in));
  const std::string url = fmt::format("http://127.0.0.1:{}/", ntohs(in.sin_port));
  const auto begin = SteadyClock().Now();
  {
    TestDaemon daemon(repository, [&url](ServerConfig& config) {
      AddSource(config, "file:///nowhere");
      AddSource(config, url);
      config.mutable_repository()->set_start_wait_seconds(1);
    });
    CHECK(Answers(daemon.client(), "text"));
  }
  CHECK(SteadyClock().Now() - begin < std::chrono::seconds(10));
}

// What cannot be meant keeps the daemon from starting, with the place in the settings.
TEST_CASE("Sources: settings that cannot be used") {
  const Repository repository;
  ServerConfig config = TestConfig(repository);
  AddSource(config, "https://127.0.0.1/").set_ca_file("/nowhere.pem");
  const absl::Status status = Daemon::Start({.config = config}, SteadyClock()).status();
  CHECK_THAT(std::string(MessageOf(status)),
             Catch::StartsWith("repository.sources[0]: ") && Catch::Contains("/nowhere.pem"));
}

// A version with a SHA256SUMS counts when all of it is there, and until then the one before serves.
TEST_CASE("Repository: a version that says what belongs to it") {
  Repository repository;
  repository.AddText("text");
  TestDaemon daemon(repository, Polling);
  Client& client = daemon.client();
  const std::string two = Compiled("1,2");
  const std::string sums =
      source::WriteSums({{.path = "model.om", .digest = DigestOf(two)},
                         {.path = "vocab.json", .digest = DigestOf(std::string("{}"))}});
  repository.Write("text/2/SHA256SUMS", sums);
  repository.Write("text/2/model.om", two);
  repository.Write("other/1/SHA256SUMS", sums);
  repository.Write("other/1/model.om", two);
  std::string reason;
  for (int i = 0; i < 600 && reason.find("complete") == std::string::npos; ++i) {
    for (const auto& [line, state] : Index(client)) {
      if (line.starts_with("other:")) {
        reason = state;
      }
    }
    Pause(std::chrono::milliseconds(20));
  }
  CHECK_THAT(reason, Catch::Contains("UNAVAILABLE") && Catch::Contains("not complete") &&
                         Catch::Contains("vocab.json"));
  CHECK(VersionOf(client, "text") == "1");
  CHECK(Index(client).count("text:2") == 0);
  repository.Write("text/2/vocab.json", "{}");
  CHECK(AwaitLine(client, "text:2", "READY") == "READY");
  CHECK(VersionOf(client, "text") == "2");
}

}  // namespace
}  // namespace omserve::server
