// SPDX-License-Identifier: Apache-2.0
#include "server/http/guard.h"

namespace omserve::server {
namespace {

class RequestEvidence final : public Evidence {
 public:
  RequestEvidence(const HttpRequest::Header& header, const ByteStream& stream)
      : header_(header), stream_(stream) {}

  std::string_view Field(std::string_view name) const override {
    const boost::beast::string_view value =
        header_[boost::beast::string_view(name.data(), name.size())];
    return {value.data(), value.size()};
  }
  PeerCertificate Certificate() const override { return stream_.certificate(); }
  std::string Peer() const override { return stream_.PeerAddress(); }

 private:
  const HttpRequest::Header& header_;
  const ByteStream& stream_;
};

}  // namespace

absl::StatusOr<Caller> HttpGuard::Admit(const Route& route, const PathParts& parts,
                                        const HttpRequest::Header& header,
                                        const ByteStream& stream) const {
  const Operation operation = route.is_control ? Operation::Control(route.group, parts.model)
                                               : Operation(route.group, parts.model);
  return access_->Admit(RequestEvidence(header, stream), operation, port_, Protocol::kHttp);
}

HttpReply HttpGuard::ReplyOf(const absl::Status& refusal) {
  HttpReply reply = HttpError(refusal);
  if (refusal.code() == absl::StatusCode::kUnauthenticated) {
    reply.AddField("WWW-Authenticate", "Bearer realm=\"omserve\"");
  }
  return reply;
}

}  // namespace omserve::server
