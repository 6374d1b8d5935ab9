// SPDX-License-Identifier: Apache-2.0
// nginx on free ports of loopback over a folder of the test, in plain text and with a certificate
// that an authority of the test has signed.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/runtime/source/scratch_folder.h"

namespace omserve::source {

// Files below site(). Over https a token is asked for below /private, /moved/PATH leads to PATH on
// another host (localhost in place of 127.0.0.1), /plain/PATH to PATH over http; over http /around
// leads to itself, and /slow/PATH comes at 64 KiB/s.
class Nginx final {
 public:
  static constexpr char kToken[] = "s3cret-token";

  Nginx();
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;
  ~Nginx();

  const ScratchFolder& site() const { return site_; }
  std::string Http(const std::string& path = "") const;
  std::string Https(const std::string& path = "") const;
  std::string ca_file() const { return own_.Path("ca.pem"); }
  std::string other_ca_file() const { return own_.Path("other.pem"); }
  // One request a line: scheme, status, bytes sent, path, range, authorization.
  std::string AccessLog() const;
  void ClearAccessLog() const;
  // Waits for requests that are over and not told of yet.
  std::string AwaitAccessLog(const std::string& text) const;
  void Stop();

 private:
  void Start();

  ScratchFolder site_;
  ScratchFolder own_;  // Its configuration, certificates and logs.
  int http_port_ = 0;
  int https_port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace omserve::source
