// SPDX-License-Identifier: Apache-2.0
#include "server/http/tls_session.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

namespace omserve::server {
namespace {

// OpenSSL's own sockets are written in a way that raises SIGPIPE when the client has gone.

int SocketOf(BIO* bio) { return *static_cast<const int*>(BIO_get_data(bio)); }

int NoteRetry(ssize_t moved, BIO* bio, int flag) {
  BIO_clear_retry_flags(bio);
  if (moved < 0 && (errno == EAGAIN || errno == EINTR)) {
    BIO_set_flags(bio, flag | BIO_FLAGS_SHOULD_RETRY);
  }
  return static_cast<int>(moved);
}

int ReadSocket(BIO* bio, char* into, int size) {
  return NoteRetry(recv(SocketOf(bio), into, static_cast<size_t>(size), 0), bio, BIO_FLAGS_READ);
}

int WriteSocket(BIO* bio, const char* from, int size) {
  return NoteRetry(send(SocketOf(bio), from, static_cast<size_t>(size), MSG_NOSIGNAL), bio,
                   BIO_FLAGS_WRITE);
}

long Control(BIO* /*bio*/, int command, long /*number*/, void* /*data*/) {  // NOLINT: OpenSSL's.
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

// Made once and never freed, as OpenSSL's own methods are.
const BIO_METHOD* SocketMethod() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    BIO_meth_set_read(made, &ReadSocket);
    BIO_meth_set_write(made, &WriteSocket);
    BIO_meth_set_ctrl(made, &Control);
    return made;
  }();
  return method;
}

std::string NameText(const GENERAL_NAME& name) {
  int type = 0;
  const void* value = GENERAL_NAME_get0_value(&name, &type);
  if (type != GEN_DNS && type != GEN_URI && type != GEN_EMAIL && type != GEN_IPADD) {
    return "";
  }
  const auto* text = static_cast<const ASN1_STRING*>(value);
  const unsigned char* data = ASN1_STRING_get0_data(text);
  const auto size = static_cast<size_t>(ASN1_STRING_length(text));
  if (type != GEN_IPADD) {
    return {static_cast<const char*>(static_cast<const void*>(data)), size};
  }
  std::array<char, INET6_ADDRSTRLEN> shown{};
  const int family = size == 4 ? AF_INET : AF_INET6;
  if ((size != 4 && size != 16) ||
      inet_ntop(family, data, shown.data(), static_cast<socklen_t>(shown.size())) == nullptr) {
    return "";
  }
  return shown.data();
}

std::string SubjectText(const X509& certificate) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
  if (bio == nullptr ||
      X509_NAME_print_ex(bio.get(), X509_get_subject_name(&certificate), 0, XN_FLAG_RFC2253) < 0) {
    return "";
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);  // NOLINT: OpenSSL's type.
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : "";
}

}  // namespace

void TlsSession::Free::operator()(SSL* ssl) const { SSL_free(ssl); }

std::unique_ptr<TlsSession> TlsSession::Accept(SSL_CTX* context, int socket) {
  SSL* const ssl = SSL_new(context);
  BIO* const bio = BIO_new(SocketMethod());
  if (ssl == nullptr || bio == nullptr) {
    SSL_free(ssl);
    BIO_free(bio);
    return nullptr;
  }
  std::unique_ptr<TlsSession> session(new TlsSession(ssl, socket));  // NOLINT: private.
  BIO_set_data(bio, &session->socket_);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  SSL_set_accept_state(ssl);
  return session;
}

TlsSession::Result TlsSession::ResultOf(int returned) {
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_NONE:
      return Result::kDone;
    case SSL_ERROR_WANT_READ:
      return Result::kWantsRead;
    case SSL_ERROR_WANT_WRITE:
      return Result::kWantsWrite;
    case SSL_ERROR_ZERO_RETURN:
      return Result::kEnded;
    case SSL_ERROR_SYSCALL:
      is_usable_ = false;
      return returned == 0 ? Result::kEnded : Result::kFailed;
    default:
      is_usable_ = false;
      return ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST ? Result::kPlainHttp
                                                                    : Result::kFailed;
  }
}

TlsSession::Result TlsSession::Handshake() {
  ERR_clear_error();  // What another connection of this thread left.
  const Result result = ResultOf(SSL_do_handshake(ssl_.get()));
  is_usable_ = result == Result::kDone;
  return result;
}

TlsSession::Result TlsSession::Read(std::span<char> into, size_t* bytes) {
  ERR_clear_error();
  return ResultOf(SSL_read_ex(ssl_.get(), into.data(), into.size(), bytes));
}

TlsSession::Result TlsSession::Write(std::span<const char> from, size_t* bytes) {
  ERR_clear_error();
  const Result result = ResultOf(SSL_write_ex(ssl_.get(), from.data(), from.size(), bytes));
  // Nothing of the other side's is awaited before we may write: renegotiation is off. To wait for
  // the socket to be written would turn for ever.
  return result == Result::kWantsRead ? Result::kFailed : result;
}

void TlsSession::Shutdown() {
  if (is_usable_) {
    is_usable_ = false;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
  }
}

PeerCertificate TlsSession::Certificate() const {
  PeerCertificate peer;
  const X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) {
    return peer;
  }
  peer.subject = SubjectText(*certificate);
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    std::string text = NameText(*sk_GENERAL_NAME_value(names.get(), i));
    if (!text.empty()) {
      peer.names.push_back(std::move(text));
    }
  }
  return peer;
}

}  // namespace omserve::server
