// SPDX-License-Identifier: Apache-2.0
// Models on a web server or in an object store: SHA256SUMS below an address, and the files that it
// lists beside it. Nothing but GET is asked for.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/source/http_client.h"
#include "runtime/source/source.h"

namespace omserve::source {

class HttpSource final : public Source {
 public:
  struct Options {
    std::string url;
    std::string ca_file;     // PEM, of https alone. Empty: the system's authorities.
    std::string token_file;  // Its first line is sent as a bearer token; read before each file.
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::seconds stall_timeout{30};
  };
  // Errors: kInvalidArgument for an address that CheckHttpUrl refuses, and for files that are of no
  // use over http://; kNotFound for a ca_file that is not there.
  static absl::StatusOr<std::unique_ptr<HttpSource>> Make(const Options& options);

  const std::string& name() const override { return options_.url; }
  absl::StatusOr<std::vector<SourceFile>> List(const std::stop_token& stop) override;
  absl::Status Read(const SourceFile& file, const Resume& resume, ByteSink& sink,
                    const std::stop_token& stop) override;

 private:
  HttpSource(Options options, std::unique_ptr<HttpClient> client);
  absl::StatusOr<std::string> Token() const;
  // From resume.offset on, which is 0 without a tag. False: the server cannot go on there.
  absl::StatusOr<bool> TryRead(const std::string& url, const Resume& resume, ByteSink& sink,
                               const std::stop_token& stop);
  absl::Status StatusOf(const std::string& url, int status) const;

  const Options options_;
  const std::unique_ptr<HttpClient> client_;
};

}  // namespace omserve::source
