// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/guard.h"

#include <grpc/grpc_security_constants.h>

#include <string>
#include <string_view>

namespace omserve::server {
namespace {

std::string_view View(const grpc::string_ref& text) { return {text.data(), text.size()}; }

class CallEvidence final : public Evidence {
 public:
  explicit CallEvidence(const grpc::ServerContext& context) : context_(context) {}

  std::string_view Field(std::string_view name) const override {
    const auto found = context_.client_metadata().find(grpc::string_ref(name.data(), name.size()));
    return found == context_.client_metadata().end() ? std::string_view() : View(found->second);
  }

  PeerCertificate Certificate() const override {
    PeerCertificate certificate;
    const std::shared_ptr<const grpc::AuthContext> shown = context_.auth_context();
    if (shown == nullptr || !shown->IsPeerAuthenticated()) {
      return certificate;
    }
    for (const grpc::string_ref& subject :
         shown->FindPropertyValues(GRPC_X509_SUBJECT_PROPERTY_NAME)) {
      certificate.subject = View(subject);
    }
    for (const grpc::string_ref& name : shown->FindPropertyValues(GRPC_X509_SAN_PROPERTY_NAME)) {
      certificate.names.emplace_back(View(name));
    }
    return certificate;
  }

  std::string Peer() const override { return context_.peer(); }

 private:
  const grpc::ServerContext& context_;
};

}  // namespace

absl::StatusOr<Caller> Guard(const FrontDoor& door, const grpc::ServerContext& context,
                             const Operation& operation) {
  return door.access.Admit(CallEvidence(context), operation, door.port, Protocol::kGrpc);
}

}  // namespace omserve::server
