// SPDX-License-Identifier: Apache-2.0
// The table of what can be changed in a version that is sealed and signed: every part of the sealed
// file, of the signature and of the files beside. Each is refused with the name of what failed, and
// nothing of it is used: no load, no device memory.
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/sealed/header.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/repository_client.h"
#include "tests/server/protocol/trust_room.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Contains;
namespace fs = std::filesystem;
namespace json = boost::json;

constexpr char kUsed[] = "omserve_device_memory_used_bytes";

sealed::Header HeaderOf(const std::string& file) {
  return VALUE(sealed::Header::Parse(std::as_bytes(std::span(file))));
}

void Flip(std::string& text, size_t at) { text.at(at) = static_cast<char>(text.at(at) ^ 1); }

// One byte of a text of base64 becomes another.
void ExchangeDigit(json::value& text) {
  json::string& digits = text.get_string();
  char& digit = digits.at(digits.size() / 2);
  digit = digit == 'A' ? 'B' : 'A';
}

// A change of a bundle, which stays JSON.
std::function<void(std::string&)> InBundle(const std::function<void(json::object&)>& change) {
  return [change](std::string& text) {
    json::value bundle = json::parse(text);
    change(bundle.get_object());
    text = json::serialize(bundle);
  };
}

std::function<void(std::string&)> AtOffset(const std::function<size_t(const std::string&)>& at) {
  return [at](std::string& text) { Flip(text, at(text)); };
}

enum class File { kModel, kSignature, kConfig, kLabels };

struct Tampering {
  std::string what;
  File file;
  std::function<void(std::string&)> change;
  // What the refusal names where signatures are required, and where nobody asks for them: then
  // "" is loaded, which is what the mode means.
  std::string signed_told;
  std::string sealed_told;
};

std::vector<Tampering> SealedParts(const std::string& plain) {
  using sealed::kKeySectionOffset;
  using sealed::kTagBytes;
  const std::string om = "file '1/model.om";
  const auto last = [](const std::string& f) { return HeaderOf(f).chunk_count() - 1; };
  return {
      {"mark", File::kModel, AtOffset([](const std::string&) { return 0; }), om, "model.om"},
      {"version", File::kModel, AtOffset([](const std::string&) { return 8; }), "", "version"},
      {"chunk size", File::kModel, AtOffset([](const std::string&) { return 18; }), "", "chunk"},
      {"file id", File::kModel, AtOffset([](const std::string&) { return 40; }), om, "header"},
      {"header's MAC", File::kModel, AtOffset([](const std::string&) { return 70; }), om, "header"},
      {"key section's length", File::kModel,
       AtOffset([](const std::string&) { return kKeySectionOffset - 1; }), "", "key section"},
      {"CMS, its beginning", File::kModel,
       AtOffset([](const std::string&) { return kKeySectionOffset + 5; }), "", "key section"},
      {"CMS, the wrapped key", File::kModel, AtOffset([](const std::string& f) {
         return kKeySectionOffset + HeaderOf(f).key_section.size() * 3 / 4;
       }),
       om, "key"},
      {"key section's MAC", File::kModel,
       AtOffset([](const std::string& f) { return HeaderOf(f).chunks_offset() - 1; }), om,
       "key section"},
      {"first chunk", File::kModel,
       AtOffset([](const std::string& f) { return HeaderOf(f).OffsetOf(0); }), om, "chunk 0"},
      {"first chunk's tag", File::kModel,
       AtOffset([](const std::string& f) { return HeaderOf(f).OffsetOf(1) - 1; }), om, "chunk 0"},
      {"a chunk in the middle", File::kModel,
       AtOffset([=](const std::string& f) { return HeaderOf(f).OffsetOf(last(f) / 2) + 100; }), om,
       "chunk"},
      {"last chunk", File::kModel,
       AtOffset([=](const std::string& f) { return HeaderOf(f).OffsetOf(last(f)); }), om, "chunk"},
      {"last tag", File::kModel, AtOffset([](const std::string& f) { return f.size() - 1; }), om,
       "chunk"},
      {"cut by a byte", File::kModel, [](std::string& f) { f.pop_back(); }, "", "bytes"},
      {"cut by a chunk", File::kModel,
       [=](std::string& f) { f.resize(HeaderOf(f).OffsetOf(last(f))); }, "", "bytes"},
      {"a byte more", File::kModel, [](std::string& f) { f += 'x'; }, "", "bytes"},
      {"two chunks exchanged", File::kModel,
       [](std::string& f) {
         const sealed::Header header = HeaderOf(f);
         const size_t size = header.PlainBytesOf(0) + kTagBytes;
         const std::string first = f.substr(header.OffsetOf(0), size);
         f.replace(header.OffsetOf(0), size, f.substr(header.OffsetOf(1), size));
         f.replace(header.OffsetOf(1), size, first);
       },
       om, "chunk 0"},
      {"the plain model in its place", File::kModel, [plain](std::string& f) { f = plain; }, om,
       ""},
  };
}

std::vector<Tampering> SignedParts() {
  const auto envelope = [](json::object& bundle) -> json::object& {
    return bundle["dsseEnvelope"].get_object();
  };
  return {
      {"bundle cut", File::kSignature, [](std::string& f) { f.resize(f.size() / 2); },
       "bundle JSON", ""},
      {"bundle's media type", File::kSignature,
       InBundle([](json::object& bundle) { bundle["mediaType"] = "text/plain"; }), "mediaType", ""},
      {"payload's type", File::kSignature,
       InBundle([=](json::object& bundle) { envelope(bundle)["payloadType"] = "text/plain"; }),
       "payloadType", ""},
      {"payload", File::kSignature,
       InBundle([=](json::object& bundle) { ExchangeDigit(envelope(bundle)["payload"]); }),
       "signature", ""},
      {"signature", File::kSignature, InBundle([=](json::object& bundle) {
         ExchangeDigit(envelope(bundle)["signatures"].get_array().at(0).get_object()["sig"]);
       }),
       "signature", ""},
      {"certificate", File::kSignature, InBundle([](json::object& bundle) {
         ExchangeDigit(bundle["verificationMaterial"]
                           .get_object()["x509CertificateChain"]
                           .get_object()["certificates"]
                           .get_array()
                           .at(0)
                           .get_object()["rawBytes"]);
       }),
       "certificate", ""},
      {"configuration", File::kConfig, [](std::string& f) { f += "# More.\n"; },
       "file 'config.yaml'", ""},
      {"labels", File::kLabels, [](std::string& f) { Flip(f, 0); }, "file '1/labels.txt'", ""},
  };
}

// The room's model, sealed, with labels, and signed with a certificate.
class Room final {
 public:
  Room() {
    plain = VALUE(ReadFile(room.om()));
    room.Seal();
    room.repository.Write("text/1/labels.txt", "cat\ndog\n");
    const std::string folder = fs::path(room.state_file()).parent_path().string();
    const std::string at = "cd " + folder + " && ";
    Shell(at +
          "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key "
          "-out ca.pem -days 2 -subj /CN=models -addext keyUsage=critical,keyCertSign");
    Shell(at +
          "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key "
          "-out leaf.csr -subj /CN=release");
    REQUIRE_OK(WriteFileAtomically(folder + "/leaf.ext",
                                   "keyUsage=critical,digitalSignature\n"
                                   "extendedKeyUsage=codeSigning\n"));
    Shell(at +
          "openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 "
          "-extfile leaf.ext -out leaf.pem");
    REQUIRE_OK(omc::SignFolder({.model_folder = room.folder(),
                                .version = 1,
                                .key_path = folder + "/leaf.key",
                                .certificate_path = folder + "/leaf.pem"})
                   .status());
    ca_ = folder + "/ca.pem";
  }

  std::string Path(File file) const {
    switch (file) {
      case File::kModel:
        return room.om();
      case File::kSignature:
        return room.folder() + "/1/model.sig";
      case File::kConfig:
        return room.folder() + "/config.yaml";
      case File::kLabels:
        return room.folder() + "/1/labels.txt";
    }
    return "";
  }
  std::function<void(ServerConfig&)> Asking(const std::string& mode) const {
    return [this, mode](ServerConfig& config) {
      room.Asking(mode)(config);
      config.mutable_repository()->mutable_signatures(0)->set_ca_file(ca_);
      config.mutable_device()->set_health_interval_ms(50);
    };
  }

  const TrustRoom room;
  std::string plain;

 private:
  std::string ca_;
};

// One change, tried, and taken back.
void Try(TestDaemon& daemon, const Room& room, const Tampering& tampering,
         const std::string& told) {
  INFO(tampering.what);
  const std::string path = room.Path(tampering.file);
  const std::string good = VALUE(ReadFile(path));
  std::string bad = good;
  tampering.change(bad);
  REQUIRE(bad != good);
  REQUIRE_OK(WriteFileAtomically(path, bad));
  const grpc::Status status = Load(daemon.client(), "text");
  INFO(status.error_message());
  CHECK_FALSE(status.ok());
  CHECK_THAT(status.error_message(), Contains("text") && Contains(told));
  CHECK_THAT(status.error_message(), !Contains(room.room.repository.path()));
  CHECK_FALSE(Answers(daemon.client(), "text"));
  REQUIRE_OK(WriteFileAtomically(path, good));
}

void TryAll(const std::string& mode, bool by_signature) {
  const Room room;
  TestDaemon daemon(room.room.repository, room.Asking(mode));
  const int port = daemon.http_port();
  const double used = Metric(port, kUsed).value_or(-1);
  std::vector<Tampering> all = SealedParts(room.plain);
  for (Tampering& tampering : SignedParts()) {
    all.push_back(std::move(tampering));
  }
  size_t refused = 0;
  for (const Tampering& tampering : all) {
    if (by_signature || !tampering.sealed_told.empty()) {
      Try(daemon, room, tampering, by_signature ? tampering.signed_told : tampering.sealed_told);
      ++refused;
    }
  }
  CHECK(refused == (by_signature ? all.size() : 18));
  CHECK(Metric(port, "omserve_model_loads_total") == 0);
  CHECK(Metric(port, "omserve_model_load_failures_total") == static_cast<double>(refused));
  AwaitMetric(port, kUsed, used);
  // As it was made it is good.
  CHECK(Load(daemon.client(), "text").ok());
  CHECK(Answers(daemon.client(), "text"));
}

}  // namespace

TEST_CASE("Tampering: each part of a sealed and signed version") {
  TryAll("require", /*by_signature=*/true);
}

// The seal alone finds what was done to it; who exchanges the whole file needs no key for that.
TEST_CASE("Tampering: each part of a version that is sealed alone") {
  TryAll("off", /*by_signature=*/false);
}

}  // namespace omserve::server
