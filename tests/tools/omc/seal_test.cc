// SPDX-License-Identifier: Apache-2.0
// `omc seal`, `open`, `rekey` and `inspect` of what is sealed, as programs: exit codes and streams.
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve::omc {
namespace {

using Catch::Matchers::Contains;

struct Outcome {
  int exit_code;
  std::string out;
  std::string err;
};

Outcome Run(const std::string& command) {
  const int status =
      std::system((command + " >seal_out.txt 2>seal_err.txt").c_str());  // NOLINT: one thread.
  return Outcome{.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                 .out = VALUE(ReadFile("seal_out.txt")),
                 .err = VALUE(ReadFile("seal_err.txt"))};
}

Outcome RunOmc(const std::string& arguments, const std::string& before = "") {
  return Run(before + OMSERVE_BINARY_DIR "/bin/omc " + arguments);
}

void MakeKeyPair(const std::string& name) {
  REQUIRE(
      Run(fmt::format("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {}.pem",
                      name))
          .exit_code == 0);
  REQUIRE(Run(fmt::format("openssl pkey -pubout -in {}.pem -out {}.pub", name, name)).exit_code ==
          0);
}

void MakeKeys() {
  MakeKeyPair("old");
  MakeKeyPair("new");
  REQUIRE(Run("openssl rand -hex -out shared.key 32").exit_code == 0);
  REQUIRE_OK(WriteFileAtomically("model.om", "a model"));
}

// Whether a command opens the file, and into what it was.
bool Opens(const std::string& keys, const std::string& before = "") {
  std::remove("opened.om");
  const Outcome outcome = RunOmc("open model.sealed -o opened.om " + keys, before);
  if (outcome.exit_code != 0) {
    CHECK(outcome.exit_code == 1);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.starts_with("omc: 'model.sealed': "));
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    CHECK_FALSE(ReadFile("opened.om").ok());
    return false;
  }
  CHECK(VALUE(ReadFile("opened.om")) == "a model");
  return true;
}

// The way of an operator: sealed for a site, opened there, given to another site.
TEST_CASE("omc seals, opens and gives to others", "[seal]") {
  MakeKeys();
  const Outcome sealed = RunOmc("seal model.om -o model.sealed --recipient old.pub");
  CHECK(sealed.exit_code == 0);
  CHECK_THAT(sealed.out, Contains("model.sealed: 7 bytes sealed for 1 recipient"));
  CHECK(Opens("--identity old.pem"));
  CHECK_FALSE(Opens("--identity new.pem"));
  const Outcome rekeyed = RunOmc(
      "rekey model.sealed --identity old.pem --recipient new.pub --new-key-file shared.key "
      "--new-key-id site-7");
  CHECK(rekeyed.exit_code == 0);
  CHECK_THAT(rekeyed.out, Contains("now for 2 recipients"));
  CHECK_FALSE(Opens("--identity old.pem"));
  CHECK(Opens("--identity old.pem --identity new.pem"));
  CHECK(Opens("--key-file shared.key --key-id site-7"));
}

// A shared key from each place that it may be in.
TEST_CASE("omc takes a shared key from everywhere", "[seal]") {
  MakeKeys();
  CHECK(RunOmc("seal model.om -o model.sealed --key-file shared.key").exit_code == 0);
  CHECK(Opens("--key-file shared.key"));
  CHECK(Opens("--key-env MODELS_KEY", "MODELS_KEY=$(cat shared.key) "));
  CHECK(Opens("--key-fd 7 7<shared.key"));
  CHECK(Opens("--key-command 'cat shared.key'"));
  const Outcome failed =
      RunOmc("open model.sealed -o opened.om --key-command 'cat no.key' --force");
  CHECK(failed.exit_code == 1);
  CHECK_THAT(failed.err,
             Contains("omc: key command 'cat': exit code 1: cat: no.key: No such file"));
}

// An opened file is for its owner alone, and replaces another when told to.
TEST_CASE("omc open does not overwrite", "[seal]") {
  MakeKeys();
  REQUIRE(RunOmc("seal model.om -o model.sealed --key-file shared.key").exit_code == 0);
  REQUIRE_OK(WriteFileAtomically("precious.om", "precious"));
  const std::string command = "open model.sealed -o precious.om --key-file shared.key";
  CHECK_THAT(RunOmc(command).err, Contains("'precious.om': is there already"));
  CHECK(VALUE(ReadFile("precious.om")) == "precious");
  CHECK(RunOmc(command + " --force").exit_code == 0);
  CHECK(VALUE(ReadFile("precious.om")) == "a model");
  struct stat info {};
  REQUIRE(stat("precious.om", &info) == 0);
  CHECK((info.st_mode & 0777U) == 0600U);
}

// A sealed file shows its sizes and for whom it is; nothing of the model without a key.
TEST_CASE("omc inspect shows what is sealed", "[seal]") {
  MakeKeys();
  REQUIRE(RunOmc("seal model.om -o model.sealed --recipient old.pub --key-file shared.key "
                 "--key-id site-7")
              .exit_code == 0);
  const Outcome text = RunOmc("inspect model.sealed");
  CHECK(text.exit_code == 0);
  CHECK_THAT(text.out, Contains("sealed (encrypted), version 1") && Contains("7 of them plain") &&
                           Contains("site-7") && Contains("ECDH"));
  const boost::json::value json = boost::json::parse(RunOmc("inspect model.sealed --json").out);
  CHECK(json.at("sealed").at("plain_bytes").as_int64() == 7);
  CHECK(json.at("sealed").at("recipients").as_array().size() == 2);
  const Outcome graph = RunOmc("inspect model.sealed --model-json");
  CHECK(graph.exit_code == 1);
  CHECK_THAT(graph.err, Contains("the file is sealed; `omc open` gives the model"));
  REQUIRE_OK(WriteFileAtomically("model.sealed", VALUE(ReadFile("model.sealed")) + "x"));
  CHECK_THAT(RunOmc("inspect model.sealed").out, Contains("1 stand behind its end"));
}

// Wrong usage is exit code 2; keys that are missing are a failure with the remedy.
TEST_CASE("omc seal tells wrong usage from failure", "[seal]") {
  MakeKeys();
  for (const char* arguments :
       {"seal model.om", "seal model.om -o x --key-file a --key-env B", "seal model.om -o x a b",
        "open model.sealed", "rekey", "seal model.om -o x --chunk-kib 1",
        "rekey model.sealed --key-command-timeout 0"}) {
    CAPTURE(arguments);
    CHECK(RunOmc(arguments).exit_code == 2);
  }
  CHECK_THAT(RunOmc("seal model.om -o x").err, Contains("give recipients or a shared key"));
  CHECK_THAT(RunOmc("open model.om -o x").err, Contains("give an identity or a shared key"));
  CHECK_THAT(RunOmc("seal model.om -o x --recipient old.pem").err,
             Contains("'old.pem': holds a private key"));
  CHECK_THAT(RunOmc("open model.om -o x --identity old.pem").err,
             Contains("'model.om': not a sealed file"));
  CHECK_THAT(RunOmc("seal --help").out, Contains("openssl genpkey"));
  CHECK_FALSE(ReadFile("x").ok());
}

}  // namespace
}  // namespace omserve::omc
