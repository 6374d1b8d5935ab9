// SPDX-License-Identifier: Apache-2.0
// A repository whose models are signed and sealed, and the keys for it.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>

#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/repository_client.h"
#include "tests/status_test_util.h"
#include "tools/omc/seal.h"
#include "tools/omc/sign.h"

namespace omserve::server {

inline void Shell(const std::string& command) {
  INFO(command);
  REQUIRE(std::system((command + " >/dev/null 2>&1").c_str()) == 0);  // NOLINT: one thread.
}

// Two models over one set of keys: `signer` signs, `site` opens, `stranger` may do neither.
class TrustRoom final {
 public:
  TrustRoom() {
    for (const char* name : {"signer", "stranger"}) {
      Shell("openssl ecparam -name prime256v1 -genkey -noout -out " + Key(name));
      Shell("openssl pkey -in " + Key(name) + " -pubout -out " + Public(name));
    }
    for (const char* name : {"site", "other_site"}) {
      Shell("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out " + Key(name));
      Shell("openssl pkey -in " + Key(name) + " -pubout -out " + Public(name));
    }
    repository.AddModel("text", "text", "name: text\nversion_policy: {all: {}}\n# A remark.\n",
                        "1,2", 1);
  }

  std::string Key(const std::string& name) const { return keys_.path() + "/" + name + ".pem"; }
  std::string Public(const std::string& name) const { return keys_.path() + "/" + name + ".pub"; }
  std::string state_file() const { return keys_.path() + "/state.json"; }
  std::string audit_file() const { return keys_.path() + "/audit.jsonl"; }
  std::string folder() const { return repository.path() + "/text"; }
  std::string om(int version = 1) const {
    return folder() + "/" + std::to_string(version) + "/model.om";
  }

  void Sign(int version = 1, std::optional<uint64_t> epoch = std::nullopt,
            const std::string& signer = "signer", uint64_t shard_bytes = 0) const {
    REQUIRE_OK(omc::SignFolder({.model_folder = folder(),
                                .version = version,
                                .key_path = Key(signer),
                                .security_epoch = epoch,
                                .shard_bytes = shard_bytes})
                   .status());
  }
  void Seal(int version = 1) const {
    REQUIRE_OK(omc::Seal({.path = om(version),
                          .output_path = om(version),
                          .recipients = {Public("site")},
                          .chunk_kib = 4})
                   .status());
  }

  // Of a daemon that asks for signatures by `mode` and has the site's key.
  std::function<void(ServerConfig&)> Asking(const std::string& mode,
                                            const std::string& key = "site") const {
    return [this, mode, key](ServerConfig& config) {
      Explicit({})(config);
      SignaturePolicyConfig* policy = config.mutable_repository()->add_signatures();
      policy->set_repository(repository.path());
      policy->set_mode(mode);
      policy->set_public_keys_file(Public("signer"));
      if (!key.empty()) {
        config.mutable_repository()->add_keys()->set_private_key_file(Key(key));
      }
      config.mutable_repository()->set_state_file(state_file());
      config.mutable_log()->set_audit_file(audit_file());
    };
  }

  Repository repository;

 private:
  TempFolder keys_;
};

}  // namespace omserve::server
