// SPDX-License-Identifier: Apache-2.0
// Keys and certificates that a test makes, with the openssl program.
#pragma once

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>
#include <utility>

#include "runtime/base/file.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/status_test_util.h"

namespace omserve::server {

// A folder of keys and certificates: `ca`.pem and what it signed.
class Certificates final {
 public:
  void MakeCa(const std::string& ca) const {
    Openssl("req -x509 {} -keyout {}.key -out {}.pem -days 2 -subj /CN={}", kNewKey, Path(ca),
            Path(ca), ca);
  }
  // For the subject CN=`name`.
  void Make(const std::string& name, const std::string& ca, int days = 2,
            const std::string& names = "DNS:localhost,IP:127.0.0.1") const {
    REQUIRE_OK(WriteFileAtomically(Path(name) + ".ext", "subjectAltName=" + names + "\n"));
    Openssl("req {} -keyout {}.key -out {}.csr -subj /CN={}", kNewKey, Path(name), Path(name),
            name);
    Openssl(
        "x509 -req -in {}.csr -CA {}.pem -CAkey {}.key -CAcreateserial -out {}.pem -days {} "
        "-extfile {}.ext",
        Path(name), Path(ca), Path(ca), Path(name), days, Path(name));
  }
  // A server's, which `ca` signed, a client's, which `clients` signed, and a `stranger`'s.
  void MakeBothSides() const {
    MakeCa("ca");
    Make("server", "ca");
    MakeCa("clients");
    Make("client", "clients");
    MakeCa("strangers");
    Make("stranger", "strangers");
  }
  // The settings of a port with the certificate "server", looked at again every second; with
  // `client_ca`, a file of these, clients show theirs.
  void Secure(TlsConfig& tls, const std::string& client_ca = "") const {
    tls.set_certificate_file(Path("server.pem"));
    tls.set_key_file(Path("server.key"));
    tls.set_reload_seconds(1);
    if (!client_ca.empty()) {
      tls.set_client_ca_file(Path(client_ca));
    }
  }
  std::string Path(const std::string& file) const { return folder_.path() + "/" + file; }
  std::string Read(const std::string& file) const { return VALUE(ReadFile(Path(file))); }

 private:
  static constexpr char kNewKey[] = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

  template <typename... Arguments>
  static void Openssl(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    const std::string command =
        "openssl " + fmt::format(format, std::forward<Arguments>(arguments)...) + " 2>/dev/null";
    INFO(command);
    REQUIRE(std::system(command.c_str()) == 0);  // NOLINT(*-env33-c, *-mt-unsafe): of a test.
  }

  TempFolder folder_;
};

}  // namespace omserve::server
