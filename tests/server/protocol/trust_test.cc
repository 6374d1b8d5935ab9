// SPDX-License-Identifier: Apache-2.0
// Signed and sealed models in a daemon: what is loaded, what is refused and with which words.
#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "proto/omserve/control.grpc.pb.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "server/core/model_trust.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/repository_client.h"
#include "tests/server/protocol/trust_room.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Contains;
namespace fs = std::filesystem;

// The words with which the model is not loaded; empty where it is.
std::string Refusal(TestDaemon& daemon) {
  const grpc::Status status = Load(daemon.client(), "text");
  return status.ok() ? "" : status.error_message();
}

double Signatures(const TestDaemon& daemon, const std::string& result) {
  return Metric(daemon.http_port(), "omserve_model_signatures_total{result=\"" + result + "\"}")
      .value_or(-1);
}

}  // namespace

TEST_CASE("Trust: what is not signed") {
  const TrustRoom room;
  {
    TestDaemon daemon(room.repository, room.Asking("require"));
    CHECK_THAT(Refusal(daemon), Contains("model 'text' version 1: it is not signed: "
                                         "'text/1/model.sig' is missing; sign it with omc sign"));
    CHECK_FALSE(Answers(daemon.client(), "text"));
    CHECK(Signatures(daemon, "refused") == 1);
    room.Sign();
    CHECK(Refusal(daemon).empty());
    CHECK(Answers(daemon.client(), "text"));
    CHECK(Signatures(daemon, "good") == 1);
    // Neither a configuration nor files that came with a request are.
    CHECK_THAT(Load(daemon.client(), "text", R"({"max_batch_size": 1})").error_message(),
               Contains("its configuration came with the request, and nobody has signed that"));
    CHECK_THAT(Load(daemon.client(), "brought", "{}", {{"1/model.om", VALUE(ReadFile(room.om()))}})
                   .error_message(),
               Contains("it is not signed"));
    CHECK(Answers(daemon.client(), "text"));
  }
  // Of another file, though of the same key: `warn` tells and loads.
  const std::string om = VALUE(ReadFile(room.om()));
  REQUIRE_OK(WriteFileAtomically(room.folder() + "/config.yaml", "max_batch_size: 2\n"));
  {
    TestDaemon daemon(room.repository, room.Asking("warn"));
    CHECK(Refusal(daemon).empty());
    CHECK(Signatures(daemon, "warned") == 1);
    CHECK(Load(daemon.client(), "text", R"({"max_batch_size": 1})").ok());
    CHECK(Signatures(daemon, "warned") == 2);
  }
  room.Sign();
  room.repository.AddModel("text", "text", "", "1,2,4");
  {
    TestDaemon daemon(room.repository, room.Asking("warn"));
    CHECK(Refusal(daemon).empty());
    CHECK(Signatures(daemon, "warned") == 1);
    CHECK(Signatures(daemon, "good") == 0);
  }
  REQUIRE_OK(WriteFileAtomically(room.om(), om));
  fs::remove(room.folder() + "/1/model.sig");
  for (const char* mode : {"warn", "off"}) {
    TestDaemon daemon(room.repository, room.Asking(mode));
    CHECK(Refusal(daemon).empty());
    CHECK(Answers(daemon.client(), "text"));
    CHECK(Signatures(daemon, "warned") == (std::string(mode) == "warn" ? 1 : 0));
  }
}

TEST_CASE("Trust: who may sign what") {
  const TrustRoom room;
  room.Sign(1, std::nullopt, "stranger");
  {
    TestDaemon daemon(room.repository, room.Asking("require"));
    CHECK_THAT(Refusal(daemon), Contains("signature: "));
    room.Sign();
    CHECK(Refusal(daemon).empty());
  }
  TestDaemon daemon(room.repository, [&](ServerConfig& config) {
    room.Asking("require")(config);
    SignerConfig* signer = config.mutable_repository()->mutable_signatures(0)->add_signers();
    signer->set_key_fingerprint(std::string(64, '0'));
    signer->add_models("text");
  });
  CHECK_THAT(Refusal(daemon), Contains("is none of the 1 signers that may sign"));
  CHECK(Signatures(daemon, "refused") == 1);
}

// Every class of byte of a version that is sealed and signed, flipped: it is refused with the name
// of what failed, and what served before serves on.
TEST_CASE("Trust: a sealed and signed version that was tampered with") {
  const bool in_shards = GENERATE(false, true);
  const TrustRoom room;
  room.Seal();
  room.Sign(1, 3, "signer", in_shards ? 4096 : 0);
  TestDaemon daemon(room.repository, room.Asking("require"));
  CHECK(Refusal(daemon).empty());
  struct Tampering {
    std::string file;
    double at;  // Of its length.
    std::string told;
  };
  const std::string config = room.folder() + "/config.yaml";
  const std::string signature = room.folder() + "/1/model.sig";
  for (const Tampering& tampering :
       std::vector<Tampering>{{room.om(), 0.0, "file '1/model.om"},
                              {room.om(), 0.001, "file '1/model.om"},
                              {room.om(), 0.02, "file '1/model.om"},
                              {room.om(), 0.5, "file '1/model.om"},
                              {room.om(), 0.999999, "file '1/model.om"},
                              {config, 0.8, "file 'config.yaml"},
                              {config, 0.2, "config.yaml"},
                              {signature, 0.3, ""},
                              {signature, 0.6, ""},
                              {signature, 0.95, ""}}) {
    const std::string good = VALUE(ReadFile(tampering.file));
    std::string bad = good;
    const auto at = static_cast<size_t>(static_cast<double>(good.size()) * tampering.at);
    bad[at] = static_cast<char>(bad[at] == '#' ? ' ' : '#');
    INFO(tampering.file << " at " << at << " of " << good.size());
    REQUIRE_OK(WriteFileAtomically(tampering.file, bad));
    const std::string refusal = Refusal(daemon);
    INFO(refusal);
    CHECK_FALSE(refusal.empty());
    CHECK_THAT(refusal, Contains(tampering.told));
    CHECK_THAT(refusal, !Contains(room.repository.path()));
    CHECK(Answers(daemon.client(), "text"));
    REQUIRE_OK(WriteFileAtomically(tampering.file, good));
  }
  // A file more, and a file less.
  REQUIRE_OK(WriteFileAtomically(room.folder() + "/1/labels.txt", "cat"));
  CHECK_THAT(Refusal(daemon), Contains("file '1/labels.txt': not signed"));
  fs::remove(room.folder() + "/1/labels.txt");
  fs::rename(config, config + ".away");
  CHECK_THAT(Refusal(daemon), Contains("config.yaml"));
  fs::rename(config + ".away", config);
  CHECK(Refusal(daemon).empty());
  CHECK(Metric(daemon.http_port(), "omserve_model_loads_total") == 2);
  CHECK(Signatures(daemon, "good") == 2);
  CHECK(Signatures(daemon, "refused") >= 9);
}

TEST_CASE("Trust: what is sealed needs its key") {
  const TrustRoom room;
  room.Seal();
  CHECK_THAT(VALUE(ReadFile(room.om())).substr(0, 8), !Contains("IMOD"));
  {
    TestDaemon daemon(room.repository, room.Asking("off", ""));
    CHECK_THAT(Refusal(daemon), Contains("it is sealed, and this daemon has no keys"));
  }
  {
    TestDaemon daemon(room.repository, room.Asking("off", "other_site"));
    CHECK_THAT(Refusal(daemon), Contains("'text/1/model.om'") && Contains("key"));
  }
  TestDaemon daemon(room.repository, room.Asking("off"));
  CHECK(Refusal(daemon).empty());
  CHECK(Answers(daemon.client(), "text"));
  // Without a signature the chunks' own tags tell.
  std::string bad = VALUE(ReadFile(room.om()));
  bad[bad.size() / 2] ^= 1;
  REQUIRE_OK(WriteFileAtomically(room.om(), bad));
  CHECK_THAT(Refusal(daemon), Contains("chunk"));
  CHECK(Answers(daemon.client(), "text"));
}

// The floor follows what was served, is there after a restart, and is lowered by an operator alone,
// which is told of.
TEST_CASE("Trust: versions that were taken back") {
  const TrustRoom room;
  const auto bring = [&room](int version, uint64_t epoch) {
    room.repository.AddModel("text", "text", "version_policy: {all: {}}\n", "1,2", version);
    room.Sign(version, epoch);
  };
  bring(1, 4);
  bring(2, 5);
  const auto state = [](TestDaemon& daemon, const std::string& key) {
    return Index(daemon.client())[key];
  };
  {
    TestDaemon daemon(room.repository, room.Asking("require"));
    REQUIRE(Refusal(daemon).empty());
    CHECK(state(daemon, "text:1") == "READY");  // It was loaded before the floor was raised.
    CHECK(state(daemon, "text:2") == "READY");
  }
  TestDaemon daemon(room.repository, room.Asking("require"));
  CHECK(Refusal(daemon).empty());
  CHECK(state(daemon, "text:2") == "READY");
  CHECK_THAT(state(daemon, "text:1"), Contains("its security epoch is 4, and the floor is 5"));
  bring(3, 5);  // Among those of an epoch movement is free.
  CHECK(Refusal(daemon).empty());
  CHECK(state(daemon, "text:3") == "READY");

  const auto stub = ::omserve::ModelControl::NewStub(daemon.client().channel);
  const auto set = [&stub](uint64_t floor, bool allow_lower) {
    SetEpochFloorRequest request;
    request.set_model_name("text");
    request.set_floor(floor);
    request.set_allow_lower(allow_lower);
    grpc::ClientContext context;
    Client::SetDeadline(context, std::chrono::seconds(30));
    SetEpochFloorResponse response;
    return stub->SetEpochFloor(&context, request, &response);
  };
  const grpc::Status refused = set(4, false);
  CHECK(refused.error_code() == grpc::StatusCode::FAILED_PRECONDITION);
  CHECK_THAT(refused.error_message(), Contains("omctl epoch --allow-lower"));
  CHECK(set(4, true).ok());
  CHECK(Refusal(daemon).empty());
  CHECK(state(daemon, "text:1") == "READY");
  const std::string audit = VALUE(ReadFile(room.audit_file()));
  CHECK_THAT(audit,
             Contains(R"("what":"epoch","model":"text","arguments":{"floor":"5"},)"
                      R"("result":"OK")") &&
                 Contains(R"("arguments":{"floor":"4"},"result":"FAILED_PRECONDITION")") &&
                 Contains(R"("arguments":{"floor":"4","allow_lower":"true"},"result":"OK")"));
}

TEST_CASE("Trust: settings that cannot be") {
  const TrustRoom room;
  const auto error = [&](const std::function<void(RepositoryConfig&)>& change) {
    ServerConfig config;
    change(*config.mutable_repository());
    return std::string(
        MessageOf(ModelTrust::Make(config.repository(), {room.repository.path()}, [] {
                    return std::chrono::nanoseconds(0);
                  }).status()));
  };
  CHECK_THAT(error([](RepositoryConfig& config) { config.add_signatures()->set_mode("maybe"); }),
             Contains("repository.signatures[0]: mode 'maybe': expected off, warn or require"));
  CHECK_THAT(error([](RepositoryConfig& config) {
               config.add_signatures()->set_mode("off");
               config.add_signatures()->set_repository("elsewhere");
               config.mutable_signatures(1)->set_mode("off");
             }),
             Contains("repository.signatures[1]: repository 'elsewhere' is none of"));
  CHECK_THAT(error([](RepositoryConfig& config) { config.add_signatures()->set_mode("require"); }),
             Contains("repository.signatures[0]: public_keys_file, ca_file: "));
  CHECK_THAT(error([](RepositoryConfig& config) {
               config.add_signatures()->set_mode("off");
               config.add_signatures()->set_mode("off");
             }),
             Contains("repository.signatures[1]: a second entry for all repositories"));
  CHECK_THAT(error([](RepositoryConfig& config) { config.add_keys(); }),
             Contains("repository.keys[0]: expected one of"));
  CHECK_THAT(error([](RepositoryConfig& config) { config.add_keys()->set_key_file("no"); }),
             Contains("repository.keys[0]: ") && Contains("'no'"));
}

}  // namespace omserve::server
