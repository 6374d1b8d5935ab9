// SPDX-License-Identifier: Apache-2.0
// `omc sign` and `omc verify` as programs: what they write, and what they say.
#include <sys/wait.h>

#include <algorithm>
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/runtime/trust/signing_room.h"

namespace omserve::omc {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using Catch::Matchers::Contains;
using trust::SigningRoom;

struct Outcome {
  int exit_code;
  std::string out;
  std::string err;
};

// A model "m" with versions 1 and 2, and a key "k".
class OmcRoom final {
 public:
  explicit OmcRoom(const std::string& name) : room(name) {
    room.Write("m/config.yaml", "name: m\n");
    room.Write("m/1/model.om", "weights of version 1");
    room.Write("m/2/model.om", "weights of version 2");
    room.MakeKey("k");
  }
  Outcome Run(std::string_view arguments) const {
    const std::string command = fmt::format("cd '{}' && '{}/bin/omc' {} >out.txt 2>err.txt",
                                            room.Path(""), OMSERVE_BINARY_DIR, arguments);
    const int status = std::system(command.c_str());  // NOLINT: the test has one thread.
    return Outcome{.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                   .out = room.Read("out.txt"),
                   .err = room.Read("err.txt")};
  }
  void CheckFails(std::string_view arguments, const std::string& message) const {
    const Outcome outcome = Run(arguments);
    CAPTURE(arguments);
    CHECK(outcome.exit_code == 1);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Catch::StartsWith("omc: ") && Contains(message));
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  }

  SigningRoom room;
};

// The way a user goes with a key: sign both versions, check all, change something.
TEST_CASE("omc signs with a key and verifies", "[trust]") {
  const OmcRoom omc("omc_keys");
  CHECK(omc.Run("sign m --version 1 --key k.key").exit_code == 0);
  const Outcome made = omc.Run("sign m/ --version 2 --key k.key --epoch 4 --shards 1KiB");
  CHECK(made.exit_code == 0);
  CHECK(made.err.empty());
  const std::string fingerprint = omc.room.Key("k").public_key().fingerprint();
  for (const std::string& part :
       {std::string("m/2/model.sig"), std::string("m, version 2"), std::string("ECDSA P-256"),
        fingerprint, std::string("2 of 1024 bytes")}) {
    CHECK_THAT(made.out, Contains(part));
  }
  const Outcome good = omc.Run("verify m --public-key k.pub");
  CHECK(good.exit_code == 0);
  CHECK(good.err.empty());
  CHECK_THAT(good.out, Contains("1        good   2      -      key " + fingerprint) &&
                           Contains("2        good   2      4      key " + fingerprint));
  const json::value shown = json::parse(omc.Run("verify m --public-key k.pub --json").out);
  CHECK(json::serialize(shown) ==
        fmt::format(R"({{"model":"m","versions":[{{"version":1,"files":2,"security_epoch":null,)"
                    R"("identities":[],"key_fingerprint":"{0}"}},{{"version":2,"files":2,)"
                    R"("security_epoch":4,"identities":[],"key_fingerprint":"{0}"}}]}})",
                    fingerprint));
  omc.room.Write("m/2/model.om", "weights of version 3");
  omc.CheckFails("verify m --public-key k.pub", "version 2: file '2/model.om': SHA-256 ");
  CHECK(omc.Run("verify m --version 1 --public-key k.pub").exit_code == 0);
}

// The way a user goes with certificates: an authority, and a pattern of who may sign.
TEST_CASE("omc signs with a certificate and verifies", "[trust]") {
  const OmcRoom omc("omc_certificates");
  omc.room.MakeCa("ca");
  omc.room.Certify("k", "ca", trust::kForSigning);
  CHECK(omc.Run("sign m --version 2 --key k.key --certificate k.pem").exit_code == 0);
  const Outcome good = omc.Run("verify m --version 2 --ca ca.pem --identity '*@example.org'");
  CHECK(good.exit_code == 0);
  CHECK_THAT(good.out, Contains("release@example.org"));
  omc.CheckFails("verify m --version 2 --ca ca.pem --identity '*@example.com'",
                 "version 2: release@example.org is none of the 1 signers that may sign");
  omc.room.MakeCa("other");
  omc.CheckFails("verify m --version 2 --ca other.pem", "version 2: certificate: ");
  omc.CheckFails("sign m --version 2 --key ca.key --certificate k.pem", "certificate: the first");
}

// A signature elsewhere is checked as well; in the model's folder it would itself be unsigned.
TEST_CASE("omc writes and reads signatures elsewhere", "[trust]") {
  const OmcRoom omc("omc_elsewhere");
  CHECK(omc.Run("sign m --version 2 --key k.key -o m2.sig").exit_code == 0);
  CHECK_FALSE(fs::exists(omc.room.Path("m/2/model.sig")));
  CHECK(omc.Run("verify m --version 2 --public-key k.pub --signature m2.sig").exit_code == 0);
  omc.CheckFails("verify m --version 1 --public-key k.pub --signature m2.sig",
                 "version 1: the signature of key");
  omc.CheckFails("sign m --version 2 --key k.key -o m/m2.sig", "lies in the model's folder");
  omc.CheckFails("sign m --version 2 --key k.key -o m/1/model.sig", "lies in the model's folder");
  CHECK(omc.Run("sign m --version 2 --key k.key -o m/../m/2/model.sig").exit_code == 0);
  fs::rename(omc.room.Path("m"), omc.room.Path("n"));
  omc.CheckFails("verify n --version 2 --public-key k.pub", "is of model 'm', not of 'n'");
}

// A failure is one line, and leaves no signature behind.
TEST_CASE("omc refuses to sign or verify", "[trust]") {
  const OmcRoom omc("omc_refuses");
  omc.CheckFails("verify m --public-key k.pub",
                 "version 1: not signed: 'm/1/model.sig' is missing");
  omc.CheckFails("verify none --public-key k.pub", "expected a model's folder");
  omc.CheckFails("verify m --public-key k.key", "'k.key': a private key");
  omc.CheckFails("verify m --ca k.pub", "'k.pub': not certificates in PEM");
  omc.CheckFails("verify m --ca none.pem", "'none.pem': no such file");
  omc.CheckFails("sign m --version 3 --key k.key", "expected version 3 of a model");
  omc.CheckFails("sign m --version 2 --key k.pub", "'k.pub': not a private key in PEM");
  omc.CheckFails("sign m --version 2 --key none.key", "'none.key': no such file");
  fs::create_symlink("config.yaml", omc.room.Path("m/link"));
  omc.CheckFails("sign m --version 2 --key k.key", "file 'link': a symbolic link");
  CHECK_FALSE(fs::exists(omc.room.Path("m/2/model.sig")));
}

// Wrong usage is exit code 2.
TEST_CASE("omc tells wrong usage of signatures", "[trust]") {
  const OmcRoom omc("omc_usage");
  for (const char* arguments :
       {"sign", "sign m", "sign m --version 1", "sign m --key k.key",
        "sign m --version 0 --key k.key", "sign m --version x --key k.key",
        "sign m --version 1 --key k.key --epoch -1", "sign m --version 1 --key k.key --shards x",
        "sign m --version 1 --key k.key --epoch 9007199254740992", "verify m",
        "verify m --public-key k.pub --ca ca.pem", "verify m --public-key k.pub --identity x",
        "verify m --public-key k.pub --signature x"}) {
    CAPTURE(arguments);
    const Outcome outcome = omc.Run(arguments);
    CHECK(outcome.exit_code == 2);
    CHECK_FALSE(outcome.err.empty());
  }
  CHECK_THAT(omc.Run("sign --help").out, Contains("openssl genpkey -algorithm EC"));
  CHECK_THAT(omc.Run("verify --help").out, Contains("--identity \"*@example.org\""));
}

// The commands of docs/signing.md, one after the other, as a reader would type them.
TEST_CASE("The page about signing works", "[trust]") {
  const OmcRoom omc("omc_page");
  fs::create_directory(omc.room.Path("models"));
  fs::rename(omc.room.Path("m"), omc.room.Path("models/resnet"));
  const std::string page = VALUE(ReadFile(OMSERVE_SOURCE_DIR "/docs/signing.md"));
  constexpr std::string_view kBegin = "\n```sh\n";
  std::string script = fmt::format("set -e\nPATH=\"{}/bin:$PATH\"\n", OMSERVE_BINARY_DIR);
  size_t blocks = 0;
  for (size_t at = page.find(kBegin); at != std::string::npos; at = page.find(kBegin, at)) {
    at += kBegin.size();
    script += page.substr(at, page.find("```", at) - at);
    ++blocks;
  }
  CHECK(blocks == 2);
  omc.room.Write("page.sh", script);
  const std::string command =
      fmt::format("cd '{}' && sh page.sh >out.txt 2>err.txt", omc.room.Path(""));
  const int status = std::system(command.c_str());  // NOLINT: the test has one thread.
  INFO(omc.room.Read("err.txt"));
  CHECK(status == 0);
  CHECK_THAT(omc.room.Read("out.txt"), Contains("good   2      -      release@example.org"));
}

// Where much is read, it is told how far that is; the file is sparse, so that this is quick.
TEST_CASE("omc tells how far it is", "[trust][slow]") {
  const OmcRoom omc("omc_progress");
  fs::resize_file(omc.room.Path("m/2/model.om"), (uint64_t{1} << 30) + 1);
  const Outcome made = omc.Run("sign m --version 2 --key k.key --shards 64MiB");
  CHECK(made.exit_code == 0);
  CHECK_THAT(made.err, Contains("omc: signing: 1.0 of 1.0 GiB\n"));
  CHECK(std::count(made.err.begin(), made.err.end(), '\n') <= 10);
}

}  // namespace
}  // namespace omserve::omc
