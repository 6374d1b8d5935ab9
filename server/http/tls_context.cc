// SPDX-License-Identifier: Apache-2.0
#include "server/http/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <string_view>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"

namespace omserve::server {
namespace {

constexpr size_t kMostBytes = 1 << 20;

// HTTP/1.1 is all that is spoken here. A client that offers anything else only is left to find out.
int ChooseProtocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* size,
                   const unsigned char* offered, unsigned int offered_size, void* /*data*/) {
  static constexpr std::array<unsigned char, 9> kOurs = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, size, kOurs.data(), kOurs.size(), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

std::string LibraryError() {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  return text.data();
}

void SetRules(SSL_CTX* context, bool asks_for_certificates) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // What is left of an answer may move in memory between two attempts to write it, and connections
  // that wait hold no buffers.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  // Records without data are read one at a time, so that a client that sends nothing else does not
  // keep the thread.
  SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_alpn_select_cb(context, &ChooseProtocol, nullptr);
  if (asks_for_certificates) {
    // A session that is resumed would not show the certificate again, which may be taken back.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
}

// Requires files that were checked.
absl::StatusOr<std::shared_ptr<SSL_CTX>> Build(const TlsFiles& files) {
  ERR_clear_error();
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  if (context == nullptr) {
    return Internal("TLS cannot be set up: {}", LibraryError());
  }
  SetRules(context.get(), !files.client_ca.empty());
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return InvalidArgument("'{}' and '{}' cannot be used: {}", files.certificate, files.key,
                           LibraryError());
  }
  if (files.client_ca.empty()) {
    return context;
  }
  STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(files.client_ca.c_str());
  if (names == nullptr ||
      SSL_CTX_load_verify_locations(context.get(), files.client_ca.c_str(), nullptr) != 1) {
    sk_X509_NAME_pop_free(names, &X509_NAME_free);
    return InvalidArgument("'{}' cannot be used: {}", files.client_ca, LibraryError());
  }
  SSL_CTX_set_client_CA_list(context.get(), names);  // Takes them.
  return context;
}

// What the files hold together; a file that cannot be read holds nothing.
std::string ContentsOf(const TlsFiles& files) {
  std::string all;
  for (const std::string& file : {files.certificate, files.key, files.client_ca}) {
    if (!file.empty()) {
      all += ReadFile(file, kMostBytes).value_or("");
      all += '\0';
    }
  }
  return all;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsContext>> TlsContext::Make(const TlsFiles& files,
                                                             HttpCounters& counters) {
  // Before they are read: what changes meanwhile is found to be new.
  std::string contents = ContentsOf(files);
  RETURN_IF_ERROR(CheckTlsFiles(files));
  std::unique_ptr<TlsContext> made(new TlsContext(files, counters));  // NOLINT: private.
  made->contents_ = std::move(contents);
  ASSIGN_OR_RETURN(std::shared_ptr<SSL_CTX> built, Build(files));
  const MutexLock lock(made->mu_);
  made->current_ = std::move(built);
  return made;
}

std::unique_ptr<TlsSession> TlsContext::Accept(int socket) const {
  std::shared_ptr<SSL_CTX> current;
  {
    const MutexLock lock(mu_);
    current = current_;
  }
  return TlsSession::Accept(current.get(), socket);  // The session has a share of it.
}

void TlsContext::Reload() {
  std::string contents = ContentsOf(files_);
  if (contents == contents_) {
    return;
  }
  contents_ = std::move(contents);
  const absl::Status checked = CheckTlsFiles(files_);
  absl::StatusOr<std::shared_ptr<SSL_CTX>> built = checked.ok() ? Build(files_) : checked;
  if (!built.ok()) {
    counters_.tls_reload_failures.fetch_add(1, std::memory_order_relaxed);
    OMSERVE_LOG(kError, "http", "new files of TLS are not used: {}", MessageOf(built.status()));
    return;
  }
  counters_.tls_reloads.fetch_add(1, std::memory_order_relaxed);
  OMSERVE_LOG(kInfo, "http", "a new certificate is used file=\"{}\"", files_.certificate);
  const MutexLock lock(mu_);
  current_ = *std::move(built);
}

}  // namespace omserve::server
