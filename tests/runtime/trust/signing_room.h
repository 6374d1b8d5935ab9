// SPDX-License-Identifier: Apache-2.0
// A folder in which a test makes keys, certificates and models, with the openssl program.
#pragma once

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/trust/certificates.h"
#include "runtime/trust/digest.h"
#include "runtime/trust/keys.h"
#include "runtime/trust/signer.h"
#include "runtime/trust/statement.h"
#include "runtime/trust/verifier.h"
#include "tests/status_test_util.h"

namespace omserve::trust {

inline constexpr std::string_view kP256 = "EC -pkeyopt ec_paramgen_curve:P-256";

// Every kind of key that may sign.
inline constexpr std::string_view kKinds[] = {kP256, "EC -pkeyopt ec_paramgen_curve:P-384",
                                              "EC -pkeyopt ec_paramgen_curve:P-521", "ED25519",
                                              "RSA -pkeyopt rsa_keygen_bits:2048"};

// Emptied when it is made, and left as it is for who wants to look.
class SigningRoom final {
 public:
  explicit SigningRoom(std::string folder) : folder_(std::move(folder)) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }

  std::string Path(std::string_view name) const { return fmt::format("{}/{}", folder_, name); }
  std::string Read(std::string_view name) const { return VALUE(ReadFile(Path(name))); }
  void Write(std::string_view name, std::string_view contents) const {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    REQUIRE_OK(WriteFileAtomically(Path(name), contents));
  }

  // True for exit status 0. Runs in the folder.
  bool Openssl(std::string_view arguments) const {
    const std::string command =
        fmt::format("cd '{}' && openssl {} >/dev/null 2>openssl.txt", folder_, arguments);
    INFO(command);
    return std::system(command.c_str()) == 0;  // NOLINT(*-env33-c, *-mt-unsafe): of a test.
  }

  // NAME.key and NAME.pub.
  void MakeKey(std::string_view name, std::string_view kind = kP256) const {
    REQUIRE(Openssl(fmt::format("genpkey -algorithm {} -out {}.key", kind, name)));
    REQUIRE(Openssl(fmt::format("pkey -in {0}.key -pubout -out {0}.pub", name)));
  }
  // NAME.key and NAME.pem, which signed itself.
  void MakeCa(std::string_view name) const {
    MakeKey(name);
    REQUIRE(
        Openssl(fmt::format("req -x509 -new -key {0}.key -out {0}.pem -days 10 -subj /CN={0} "
                            "-addext keyUsage=critical,keyCertSign",
                            name)));
  }
  // NAME.pem for NAME.key, signed by `ca` for ten days, with lines of openssl's extension file.
  void Certify(std::string_view name, std::string_view ca, std::string_view extensions,
               std::string_view subject = "") const {
    Write(fmt::format("{}.ext", name), extensions);
    REQUIRE(Openssl(fmt::format("req -new -key {0}.key -out {0}.csr -subj '/CN={1}'", name,
                                subject.empty() ? name : subject)));
    REQUIRE(
        Openssl(fmt::format("x509 -req -in {0}.csr -CA {1}.pem -CAkey {1}.key -CAcreateserial "
                            "-out {0}.pem -days 10 -extfile {0}.ext",
                            name, ca)));
  }

  PrivateKey Key(std::string_view name) const {
    return VALUE(PrivateKey::FromPem(Read(fmt::format("{}.key", name))));
  }
  std::vector<std::string> Chain(std::string_view name) const {
    return VALUE(CertificatesFromPem(Read(fmt::format("{}.pem", name)), kMostChainLength));
  }
  TrustRoots KeyRoots(std::string_view name) const {
    return VALUE(
        TrustRoots::Create({.public_keys = Read(fmt::format("{}.pub", name)), .certificates = ""}));
  }
  TrustRoots CaRoots(std::string_view name) const {
    return VALUE(
        TrustRoots::Create({.public_keys = "", .certificates = Read(fmt::format("{}.pem", name))}));
  }

 private:
  std::string folder_;
};

inline constexpr std::string_view kForSigning =
    "keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\n"
    "subjectAltName=email:release@example.org\n";

// A statement of model "m", version 2, with two files.
inline Statement SmallStatement() {
  return {.model = "m",
          .version = 2,
          .security_epoch = 7,
          .serialization = {.shard_bytes = 0, .allow_symlinks = false, .ignore_paths = {"1"}},
          .resources = {{.name = "2/model.om", .range = {}, .digest = DigestOf("weights")},
                        {.name = "config.yaml", .range = {}, .digest = DigestOf("name: m\n")}}};
}

// When the test runs, as the openssl program dates what it makes by the wall clock.
inline std::chrono::system_clock::time_point WallTime(int days_later = 0) {
  return std::chrono::system_clock::from_time_t(std::time(nullptr)) +
         std::chrono::hours(24) * days_later;
}

inline std::string ErrorOf(const absl::Status& status) { return std::string(MessageOf(status)); }
template <typename T>
std::string ErrorOf(const absl::StatusOr<T>& value) {
  return ErrorOf(value.status());
}

}  // namespace omserve::trust
