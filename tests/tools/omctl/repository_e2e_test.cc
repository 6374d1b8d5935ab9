// SPDX-License-Identifier: Apache-2.0
// The real omctl loads and unloads models of the real omserved.
#include <catch2/catch.hpp>
#include <string>

#include "tests/server/protocol/daemon_fixture.h"
#include "tests/tools/omctl/omctl_run.h"

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
  CHECK_THAT(unloaded.out, Contains("UNAVAILABLE") && Contains("unloaded"));

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

}  // namespace
}  // namespace omserve
