// SPDX-License-Identifier: Apache-2.0
// Tokens, the file of clients, who may do what, and the guard over them, without a protocol.
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>

#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "server/core/auth/access.h"
#include "tests/scheduler/fake_clock.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;

// Of RFC 6234: SHA-256 of "abc".
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST_CASE("Tokens: hashes") {
  CHECK(HexOf(HashOf("abc")) == kAbc);
  CHECK(HashFromHex(kAbc) == HashOf("abc"));
  std::string upper = kAbc;
  upper[0] = 'B';
  CHECK(HashFromHex(upper) == HashOf("abc"));
  for (const std::string& wrong :
       {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(63, 'a') + "g"}) {
    CHECK_FALSE(HashFromHex(wrong).has_value());
  }
  CHECK(AreEqual("a", "a"));
  CHECK(AreEqual("", ""));
  CHECK_FALSE(AreEqual("a", "b"));
  CHECK_FALSE(AreEqual("a", "ab"));
}

// Each is another, and each is one that a client can send.
TEST_CASE("Tokens: new ones") {
  std::set<std::string> tokens;
  for (int i = 0; i < 100; ++i) {
    const std::string token = NewToken();
    CHECK(token.size() == 47);
    CHECK(token.rfind("oms_", 0) == 0);
    CHECK(BearerToken("Bearer " + token) == token);
    tokens.insert(token);
  }
  CHECK(tokens.size() == 100);
}

TEST_CASE("Tokens: the Authorization field") {
  CHECK(BearerToken("Bearer a.b-c_d~e+f/g=") == "a.b-c_d~e+f/g=");
  CHECK(BearerToken("bEARER   a") == "a");
  for (const std::string wrong : {"", "Bearer", "Bearer ", "Bearera", "Basic YTpi", "Bearer a b",
                                  "Bearer a\n", " Bearer a"}) {
    CAPTURE(wrong);
    CHECK_FALSE(BearerToken(wrong).has_value());
  }
  CHECK(BearerToken("Bearer " + std::string(512, 'a')).has_value());
  CHECK_FALSE(BearerToken("Bearer " + std::string(513, 'a')).has_value());
}

std::string ClientsError(const std::string& text) {
  return std::string(MessageOf(Clients::Parse(text, "f").status()));
}

// What is wrong in the file of clients is told with its place, all at once.
TEST_CASE("The file of clients: errors") {
  const std::string hash = std::string("token_sha256: ") + kAbc;
  CHECK_THAT(ClientsError("clients: [{name: a b, role: infer, " + hash + "}]"),
             Contains("f:1:") && Contains("clients[0].name"));
  CHECK_THAT(ClientsError("clients: [{name: a, role: root, " + hash + "}]"),
             Contains("expected infer, control or admin, got \"root\""));
  CHECK_THAT(ClientsError("clients: [{name: a, role: infer}]"), Contains("got 0 of them"));
  CHECK_THAT(ClientsError("clients: [{name: a, role: infer, subject: CN=a, " + hash + "}]"),
             Contains("got 2 of them"));
  CHECK_THAT(ClientsError("clients: [{name: a, role: infer, token_sha256: abc}]"),
             Contains("64 hexadecimal digits"));
  CHECK_THAT(ClientsError("clients: [{name: a, role: admin, models: [m], " + hash + "}]"),
             Contains("an admin may use all models"));
  CHECK_THAT(ClientsError("clients: [{name: a, role: infer, " + hash +
                          "}, {name: b, role: infer, " + hash + "}]"),
             Contains("another client has the same token"));
  CHECK_THAT(ClientsError("clients: [{name: a, rolle: infer}]"), Contains("did you mean 'role'"));
}

TEST_CASE("The file of clients: who is found") {
  const auto clients =
      VALUE(Clients::Parse(std::string("clients:\n"
                                       "  - {name: a, role: infer, models: [m*], "
                                       "token_sha256: ") +
                               kAbc +
                               "}\n"
                               "  - {name: b, role: control, subject: 'CN=b,O=x'}\n"
                               "  - {name: c, role: admin, "
                               "certificate_name: 'spiffe://x/c'}\n",
                           "f"));
  REQUIRE(clients->FindToken("abc") != nullptr);
  CHECK(clients->FindToken("abc")->name == "a");
  CHECK(clients->FindToken("abd") == nullptr);
  CHECK(clients->FindToken("") == nullptr);
  CHECK(clients->FindCertificate({.subject = "CN=b,O=x"})->name == "b");
  CHECK(clients->FindCertificate({.subject = "CN=z", .names = {"y", "spiffe://x/c"}})->name == "c");
  CHECK(clients->FindCertificate({.subject = "CN=z", .names = {"spiffe://x"}}) == nullptr);
  CHECK(clients->FindCertificate({}) == nullptr);
}

TEST_CASE("The file of clients: the sample is right") {
  const std::string file = OMSERVE_SOURCE_DIR "/config/samples/clients.yaml";
  CHECK(VALUE(Clients::Parse(VALUE(ReadFile(file)), file))->size() == 3);
}

// Every role and nobody, over operations of each kind, on each port.
TEST_CASE("Who may do what") {
  const AccessRules rules{.asks_who = true};
  const KnownClient infer{.name = "i", .role = Role::kInfer, .models = {"m*"}};
  const KnownClient control{.name = "c", .role = Role::kControl, .models = {"m*"}};
  const KnownClient admin{.name = "a", .role = Role::kAdmin};
  using V = AccessVerdict;
  const auto verdicts = [&](const Operation& operation, PortKind port) {
    return std::vector<V>{DecideAccess(rules, operation, port, nullptr),
                          DecideAccess(rules, operation, port, &infer),
                          DecideAccess(rules, operation, port, &control),
                          DecideAccess(rules, operation, port, &admin)};
  };
  const auto all = [](V nobody, V i, V c, V a) { return std::vector<V>{nobody, i, c, a}; };
  for (const PortKind port : {PortKind::kPublic, PortKind::kAdmin}) {
    CHECK(verdicts(MethodGroup::kHealth, port) ==
          all(V::kAllowed, V::kAllowed, V::kAllowed, V::kAllowed));
    CHECK(verdicts(MethodGroup::kMetrics, port) ==
          all(V::kAllowed, V::kAllowed, V::kAllowed, V::kAllowed));
    CHECK(verdicts(MethodGroup::kInference, port) ==
          all(V::kNobody, V::kAllowed, V::kAllowed, V::kAllowed));
    CHECK(verdicts({MethodGroup::kInference, "m1"}, port) ==
          all(V::kNobody, V::kAllowed, V::kAllowed, V::kAllowed));
    CHECK(verdicts({MethodGroup::kModelConfig, "x"}, port) ==
          all(V::kNobody, V::kModel, V::kModel, V::kAllowed));
  }
  const Operation load = Operation::Control(MethodGroup::kModelRepository, "m1");
  CHECK(verdicts(load, PortKind::kAdmin) == all(V::kNobody, V::kRole, V::kAllowed, V::kAllowed));
  CHECK(verdicts(Operation::Control(MethodGroup::kModelRepository, "x"), PortKind::kAdmin) ==
        all(V::kNobody, V::kRole, V::kModel, V::kAllowed));
  CHECK(verdicts(Operation::Control(MethodGroup::kLogging), PortKind::kAdmin) ==
        all(V::kNobody, V::kRole, V::kRole, V::kAllowed));
  CHECK(verdicts(load, PortKind::kPublic) ==
        all(V::kAdminPort, V::kAdminPort, V::kAdminPort, V::kAdminPort));
  CHECK(DecideAccess({}, load, PortKind::kPublic, nullptr) == V::kAdminPort);
  CHECK(DecideAccess({}, load, PortKind::kAdmin, nullptr) == V::kAllowed);
  CHECK(DecideAccess({.control_on_public_ports = true}, load, PortKind::kPublic, nullptr) ==
        V::kAllowed);
  CHECK(DecideAccess({}, MethodGroup::kInference, PortKind::kPublic, nullptr) == V::kAllowed);
  CHECK(DecideAccess({.asks_who = true, .open_metrics = false}, MethodGroup::kMetrics,
                     PortKind::kPublic, nullptr) == V::kNobody);
}

class FakeEvidence final : public Evidence {
 public:
  std::string_view Field(std::string_view name) const override {
    const auto found = fields.find(std::string(name));
    return found == fields.end() ? std::string_view() : found->second;
  }
  PeerCertificate Certificate() const override { return certificate; }
  std::string Peer() const override { return "ipv4:10.0.0.7:1"; }

  std::map<std::string, std::string> fields;
  PeerCertificate certificate;
};

uint64_t Refused(const Access& access, AccessRefusal why) {
  return access.counters().refused[static_cast<size_t>(why)].load();
}

// Of the header, each kind of refusal has its code, its words and its count.
TEST_CASE("Access: refusals") {
  InitLog({.level = LogLevel::kOff});
  REQUIRE_OK(WriteFileAtomically("clients.yaml",
                                 std::string("clients: [{name: a, role: infer, models: [m], "
                                             "token_sha256: ") +
                                     kAbc + "}, {name: b, role: infer, subject: CN=b}]"));
  FakeClock clock;
  Restrictions grpc;
  CHECK(grpc.Add(MethodGroup::kHealth, "triton-grpc-protocol-k", "v"));
  CHECK_FALSE(grpc.Add(MethodGroup::kHealth, "triton-grpc-protocol-j", "v"));
  const auto access = VALUE(Access::Make({.clients_file = "clients.yaml", .grpc = grpc}, clock));
  const auto admit = [&](const FakeEvidence& evidence, const Operation& operation,
                         Protocol protocol = Protocol::kGrpc) {
    return access->Admit(evidence, operation, PortKind::kPublic, protocol);
  };
  FakeEvidence nobody;
  CHECK(admit(nobody, MethodGroup::kInference).status().code() ==
        absl::StatusCode::kUnauthenticated);
  CHECK(Refused(*access, AccessRefusal::kNoCredentials) == 1);
  FakeEvidence token;
  token.fields["authorization"] = "Bearer abd";
  CHECK(admit(token, MethodGroup::kInference).status().code() ==
        absl::StatusCode::kUnauthenticated);
  token.fields["authorization"] = "Basic abc";
  CHECK(admit(token, MethodGroup::kInference).status().code() ==
        absl::StatusCode::kUnauthenticated);
  CHECK(Refused(*access, AccessRefusal::kUnknownToken) == 2);
  token.fields["authorization"] = "Bearer abc";
  const Caller caller = VALUE(admit(token, MethodGroup::kInference));
  CHECK(caller.client->name == "a");
  CHECK(access->CheckModel(caller, "m").ok());
  CHECK(access->CheckModel(caller, "n").code() == absl::StatusCode::kPermissionDenied);
  CHECK(Refused(*access, AccessRefusal::kModel) == 1);
  FakeEvidence certificate;
  certificate.certificate.subject = "CN=b";
  CHECK(VALUE(admit(certificate, MethodGroup::kInference)).client->name == "b");
  certificate.certificate.subject = "CN=c";
  CHECK(admit(certificate, MethodGroup::kInference).status().code() ==
        absl::StatusCode::kUnauthenticated);
  CHECK(Refused(*access, AccessRefusal::kUnknownCertificate) == 1);
  const absl::Status restricted = admit(nobody, MethodGroup::kHealth).status();
  CHECK(restricted.code() == absl::StatusCode::kUnavailable);
  CHECK(MessageOf(restricted) ==
        "This protocol is restricted, expecting header 'triton-grpc-protocol-k'");
  CHECK(Refused(*access, AccessRefusal::kRestricted) == 1);
  CHECK(admit(nobody, MethodGroup::kHealth, Protocol::kHttp).ok());
  nobody.fields["triton-grpc-protocol-k"] = "v";
  CHECK(admit(nobody, MethodGroup::kHealth).ok());
  CHECK(admit(token, Operation::Control(MethodGroup::kLogging)).status().code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(Refused(*access, AccessRefusal::kAdminPort) == 1);
  CHECK(access
            ->Admit(token, Operation::Control(MethodGroup::kLogging), PortKind::kAdmin,
                    Protocol::kHttp)
            .status()
            .code() == absl::StatusCode::kPermissionDenied);
  CHECK(Refused(*access, AccessRefusal::kRole) == 1);
}

// A file that changed counts within a second; one that is wrong, or gone, changes nothing.
TEST_CASE("Access: a file that changes") {
  InitLog({.level = LogLevel::kOff});
  const auto write = [](const std::string& token) {
    REQUIRE_OK(WriteFileAtomically(
        "clients.yaml",
        "clients: [{name: ops, role: admin, token_sha256: " + HexOf(HashOf(token)) + "}]"));
  };
  write("first");
  FakeClock clock;
  const auto access = VALUE(Access::Make({.clients_file = "clients.yaml"}, clock));
  const auto admits = [&](const std::string& token) {
    FakeEvidence evidence;
    evidence.fields["authorization"] = "Bearer " + token;
    return access->Admit(evidence, Operation::Control(MethodGroup::kLogging), PortKind::kAdmin,
                         Protocol::kHttp);
  };
  CHECK(VALUE(admits("first")).Who() == "ops@ipv4:10.0.0.7:1");
  write("second");
  CHECK_FALSE(admits("second").ok());
  clock.Advance(std::chrono::seconds(1));
  CHECK(admits("second").ok());
  CHECK_FALSE(admits("first").ok());
  REQUIRE_OK(WriteFileAtomically("clients.yaml", "clients: [{name: ops"));
  clock.Advance(std::chrono::seconds(1));
  CHECK(admits("second").ok());
  CHECK(access->counters().file_failures == 1);
  write("third");
  clock.Advance(std::chrono::seconds(1));
  CHECK(admits("third").ok());
  CHECK(access->counters().file_reads == 3);
  CHECK(Access::Make({.clients_file = "nothing.yaml"}, clock).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace omserve::server
