// SPDX-License-Identifier: Apache-2.0
// The certificate and the rules of a port's TLS, which change while it serves.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "runtime/base/mutex.h"
#include "server/core/http_counters.h"
#include "server/core/tls_files.h"
#include "server/http/tls_session.h"

namespace omserve::server {

// TLS 1.2 or newer. Thread-safe.
class TlsContext final {
 public:
  // Blocks on the disk. `counters` outlives it. Errors: CheckTlsFiles'.
  static absl::StatusOr<std::unique_ptr<TlsContext>> Make(const TlsFiles& files,
                                                          HttpCounters& counters);

  // A session with the certificate of now. The socket outlives it. Null without memory.
  std::unique_ptr<TlsSession> Accept(int socket) const ABSL_LOCKS_EXCLUDED(mu_);
  // Looks at the files; what is new counts for new connections, and what cannot be used is told and
  // changes nothing. Blocks on the disk. One call at a time.
  void Reload() ABSL_LOCKS_EXCLUDED(mu_);
  std::chrono::seconds reload_interval() const { return files_.reload; }

 private:
  TlsContext(const TlsFiles& files, HttpCounters& counters) : files_(files), counters_(counters) {}

  const TlsFiles files_;
  HttpCounters& counters_;
  std::string contents_;  // Of all files, as they were last looked at. Of Reload.

  mutable Mutex mu_;
  std::shared_ptr<SSL_CTX> current_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::server
