// SPDX-License-Identifier: Apache-2.0
// What a call shows of who makes it, whatever the protocol.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace omserve::server {

struct PeerCertificate {
  std::string subject;             // RFC 2253: "CN=gateway,O=Example". Empty: no certificate.
  std::vector<std::string> names;  // Subject alternative names: DNS, URI, e-mail and IP.
};

class Evidence {
 public:
  virtual ~Evidence() = default;
  // Of the header or the metadata, by a name in lower case. Empty: it is not there.
  virtual std::string_view Field(std::string_view name) const = 0;
  // One that a CA of the settings has signed.
  virtual PeerCertificate Certificate() const = 0;
  // The address, as gRPC writes it: "ipv4:10.0.0.7:40312", "unix:".
  virtual std::string Peer() const = 0;
};

}  // namespace omserve::server
