// SPDX-License-Identifier: Apache-2.0
#include "server/http/byte_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <span>

namespace omserve::server {

namespace asio = boost::asio;

namespace {

constexpr size_t kRecordBytes = 16 * 1024;  // The most that TLS puts into a record.

HttpSocket::wait_type WaitFor(TlsSession::Result result) {
  return result == TlsSession::Result::kWantsRead ? HttpSocket::wait_read : HttpSocket::wait_write;
}

bool Waits(TlsSession::Result result) {
  return result == TlsSession::Result::kWantsRead || result == TlsSession::Result::kWantsWrite;
}

}  // namespace

void ByteStream::Handshake(OnHandshake handler) {
  const TlsSession::Result result = tls_->Handshake();
  if (!Waits(result)) {
    if (result == TlsSession::Result::kDone) {
      certificate_ = tls_->Certificate();
    }
    handler(result);
    return;
  }
  socket_.async_wait(WaitFor(result),
                     [this, handler = std::move(handler)](const Error& error) mutable {
                       if (error) {
                         handler(TlsSession::Result::kFailed);
                       } else {
                         Handshake(std::move(handler));
                       }
                     });
}

void ByteStream::ReadSecured(asio::mutable_buffer into, OnRead handler, bool is_nested) {
  size_t bytes = 0;
  const TlsSession::Result result =
      tls_->Read({static_cast<char*>(into.data()), into.size()}, &bytes);
  if (Waits(result)) {
    socket_.async_wait(WaitFor(result),
                       [this, into, handler = std::move(handler)](const Error& error) mutable {
                         if (error) {
                           handler(error, 0);
                         } else {
                           ReadSecured(into, std::move(handler), /*is_nested=*/false);
                         }
                       });
    return;
  }
  const Error error = result == TlsSession::Result::kDone ? Error() : Error(asio::error::eof);
  if (!is_nested) {
    handler(error, bytes);
    return;
  }
  // The bytes were there already. The caller is not called from within its own call.
  asio::post(socket_.get_executor(),
             [handler = std::move(handler), error, bytes] { handler(error, bytes); });
}

size_t ByteStream::WriteSome(const std::vector<asio::const_buffer>& buffers, Error& error) {
  if (tls_ == nullptr) {
    return socket_.write_some(buffers, error);
  }
  // A header and what follows it go in one record, and so in one packet.
  std::array<char, kRecordBytes> gathered;  // NOLINT(*-member-init): filled as far as it is used.
  std::span<const char> record(static_cast<const char*>(buffers.front().data()),
                               buffers.front().size());
  if (buffers.size() > 1 && record.size() < kRecordBytes) {
    size_t size = 0;
    for (const asio::const_buffer& buffer : buffers) {
      const size_t taken = std::min(buffer.size(), kRecordBytes - size);
      std::memcpy(gathered.data() + size, buffer.data(), taken);
      size += taken;
    }
    record = {gathered.data(), size};
  }
  if (record.empty()) {
    return 0;
  }
  size_t bytes = 0;
  const TlsSession::Result result = tls_->Write(record, &bytes);
  if (result == TlsSession::Result::kDone) {
    error = {};
  } else {
    error = Waits(result) ? asio::error::would_block : asio::error::connection_reset;
  }
  return bytes;
}

std::string ByteStream::PeerAddress() const {
  Error error;
  const HttpSocket::endpoint_type endpoint = socket_.remote_endpoint(error);
  asio::ip::tcp::endpoint address;
  if (error || endpoint.protocol().family() == AF_UNIX || endpoint.size() > address.capacity()) {
    return "unix:";
  }
  std::memcpy(address.data(), endpoint.data(), endpoint.size());
  const std::string text = address.address().to_string(error);
  return address.address().is_v6() ? fmt::format("ipv6:[{}]:{}", text, address.port())
                                   : fmt::format("ipv4:{}:{}", text, address.port());
}

void ByteStream::EndWriting() {
  if (tls_ != nullptr) {
    tls_->Shutdown();
  }
  Error ignored;  // The client may be gone.
  socket_.shutdown(HttpSocket::shutdown_send, ignored);
}

void ByteStream::Close() {
  if (tls_ != nullptr) {
    tls_->Shutdown();
  }
  Error ignored;  // Its client may have closed it already.
  socket_.shutdown(HttpSocket::shutdown_both, ignored);
  socket_.close(ignored);  // Ends the read that is pending.
}

}  // namespace omserve::server
