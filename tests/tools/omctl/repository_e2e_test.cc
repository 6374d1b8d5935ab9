// SPDX-License-Identifier: Apache-2.0
// The real omctl loads and unloads models of the real omserved.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "runtime/base/file.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"
#include "tests/tools/omctl/omctl_run.h"
#include "tools/omc/sign.h"

namespace omserve {
namespace {

using Catch::Matchers::Contains;
using testing::Outcome;
using testing::RunOmctl;

// The end is told on standard output, as a table or as JSON; what failed, by the exit status.
TEST_CASE("omctl load and unload") {
  server::Repository repository;
  repository.AddText();
  const server::ChildDaemon daemon(
      repository, {"--model-control-mode=explicit", "--control-on-public-ports=true"});
  const auto run = [&daemon](const std::string& arguments) {
    return RunOmctl(arguments + " --url 127.0.0.1:" + std::to_string(daemon.grpc_port()));
  };
  const Outcome loaded = run("load text --json");
  INFO(loaded.err);
  CHECK(loaded.exit_code == 0);
  CHECK(loaded.out == R"([{"name":"text","version":"1","state":"READY"}])"
                      "\n");
  const Outcome unloaded = run("unload text");
  CHECK(unloaded.exit_code == 0);
  CHECK_THAT(unloaded.out, Contains("UNLOADED") && Contains("unloaded"));

  const Outcome unknown = run("load nobody");
  CHECK(unknown.exit_code == 1);
  CHECK_THAT(unknown.err, Contains("omctl: INTERNAL: ") && Contains("failed to load 'nobody'"));

  repository.Write("config.json", R"({"max_batch_size": 2})");
  const Outcome brought =
      run("load new --config '" + repository.path() +
          "/config.json' --file '1/model.om=" + repository.path() + "/text/1/model.om'");
  INFO(brought.err);
  CHECK(brought.exit_code == 0);
  CHECK_THAT(brought.out, Contains("READY"));
  CHECK_THAT(run("load --help").out, Contains("--file VERSION/PATH=FILE"));
}

TEST_CASE("omctl drain and verify") {
  server::Repository repository;
  for (const int version : {1, 2}) {
    repository.AddModel("text", "text", "version_policy: {all: {}}\n", "1,2", version);
  }
  const std::string key = repository.path() + "/../" + "omctl-key-" + std::to_string(getpid());
  REQUIRE(std::system(("openssl ecparam -name prime256v1 -genkey -noout -out " + key +  // NOLINT
                       " && openssl pkey -in " + key + " -pubout -out " + key + ".pub")
                          .c_str()) == 0);
  for (const int version : {1, 2}) {
    REQUIRE_OK(
        omc::SignFolder(
            {.model_folder = repository.path() + "/text", .version = version, .key_path = key})
            .status());
  }
  REQUIRE_OK(WriteFileAtomically(key + ".yaml",
                                 "repository:\n  signatures:\n    - {mode: warn, "
                                 "public_keys_file: '" +
                                     key + ".pub'}\n"));
  const server::ChildDaemon daemon(repository,
                                   {"--config=" + key + ".yaml", "--model-control-mode=explicit",
                                    "--load-model=text", "--control-on-public-ports=true"});
  const auto run = [&daemon](const std::string& arguments) {
    return RunOmctl(arguments + " --url 127.0.0.1:" + std::to_string(daemon.grpc_port()));
  };
  const Outcome good = run("verify text");
  INFO(good.err);
  CHECK(good.exit_code == 0);
  CHECK_THAT(good.err, Contains("text version 1 (1 of 2): good") &&
                           Contains("text version 2 (2 of 2): good"));
  CHECK_THAT(good.out, Contains("SIGNER") && Contains("good"));
  std::string file = VALUE(ReadFile(repository.path() + "/text/2/model.om"));
  file[file.size() / 2] ^= 1;
  repository.Write("text/2/model.om", file);
  const Outcome bad = run("verify text --model-version 2 --json");
  CHECK(bad.exit_code == 1);
  CHECK_THAT(bad.out, Contains(R"("is_good":false)") && Contains("2/model.om"));
  testing::CheckFails(run("verify text --model-version 7"), "NOT_FOUND");

  const Outcome drained = run("drain text --model-version 2");
  INFO(drained.err);
  CHECK(drained.exit_code == 0);
  CHECK_THAT(drained.out, Contains("UNLOADED") && Contains("READY"));
  CHECK_THAT(run("models --json").out, Contains(R"("last_transition":"drained")"));
  testing::CheckFails(run("drain text --model-version 2"), "UNAVAILABLE");
  CHECK(run("drain text").exit_code == 0);
  for (const char* end : {"", ".pub", ".yaml"}) {
    std::filesystem::remove(key + end);
  }
}

// Labels and shares as an operator moves them, told as tables and as JSON.
TEST_CASE("omctl label, traffic, rollback and epoch") {
  server::Repository repository;
  for (const int version : {1, 2}) {
    repository.AddModel("text", "text", "version_policy: {all: {}}\n", "1,2", version);
  }
  const server::ChildDaemon daemon(repository, {"--control-on-public-ports=true"});
  const auto run = [&daemon](const std::string& arguments) {
    return RunOmctl(arguments + " --url 127.0.0.1:" + std::to_string(daemon.grpc_port()));
  };
  CHECK_THAT(run("label text").out, Contains("go to the highest one served"));
  const Outcome labelled = run("label text stable=1 canary=2");
  INFO(labelled.err);
  CHECK(labelled.exit_code == 0);
  CHECK_THAT(labelled.out, Contains("LABEL") && Contains("stable") && Contains("canary"));
  const Outcome shared = run("traffic text stable=90 canary=10% --json");
  CHECK(shared.out ==
        R"({"model":"text","labels":{"canary":2,"stable":1},"traffic":[{"label":"stable",)"
        R"("percent":90},{"label":"canary","percent":10}]})"
        "\n");
  CHECK_THAT(run("models").out, Contains("stable 90%") && Contains("canary 10%"));
  CHECK_THAT(run("infer text --input input_ids=[[1]] --model-version nobody").err,
             Contains("version"));
  CHECK(run("label text stable=2").exit_code == 0);
  CHECK_THAT(run("rollback text --json").out, Contains(R"("stable":1)"));
  CHECK_THAT(run("traffic text --clear").out, Contains("go to the highest one served"));
  testing::CheckFails(run("traffic text stable=90"), "INVALID_ARGUMENT");
  testing::CheckFails(run("traffic text stable=ninety"), "INVALID_ARGUMENT");
  testing::CheckFails(run("label text stable=7"), "FAILED_PRECONDITION");
  testing::CheckFails(run("label nobody"), "NOT_FOUND");
  CHECK_THAT(run("label text --remove canary").out, !Contains("canary"));

  CHECK_THAT(run("epoch text 7").out, Contains("from security epoch 7 on"));
  testing::CheckFails(run("epoch text 6"), "FAILED_PRECONDITION");
  CHECK(run("epoch text 6 --allow-lower --json").out == R"({"model":"text","epoch_floor":6})"
                                                        "\n");
  CHECK_THAT(run("epoch text").out, Contains("from security epoch 6 on"));
  CHECK_THAT(run("label --help").out, Contains("LABEL=VERSION"));
}

}  // namespace
}  // namespace omserve
