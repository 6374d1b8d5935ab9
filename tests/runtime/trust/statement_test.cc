// SPDX-License-Identifier: Apache-2.0
#include "runtime/trust/statement.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <string>

#include "tests/runtime/trust/signing_room.h"

namespace omserve::trust {
namespace {

namespace json = boost::json;
using Catch::Matchers::Contains;

Statement InShards() {
  Statement statement = SmallStatement();
  statement.serialization.shard_bytes = 8;
  statement.resources = {{.name = "2/model.om", .range = {8, 11}, .digest = DigestOf("b")},
                         {.name = "2/model.om", .range = {0, 8}, .digest = DigestOf("a")}};
  return statement;
}

// The JSON of a statement after `change` was made to it.
template <typename Change>
std::string Changed(const Statement& statement, Change change) {
  json::value value = json::parse(VALUE(WriteStatement(statement)));
  change(value.as_object());
  return json::serialize(value);
}

json::object& Predicate(json::object& whole) { return whole["predicate"].as_object(); }
json::object& Serialized(json::object& whole) {
  return Predicate(whole)["serialization"].as_object();
}
json::array& Resources(json::object& whole) { return Predicate(whole)["resources"].as_array(); }
json::object& Subject(json::object& whole) {
  return whole["subject"].as_array().front().as_object();
}

// What was written is read again, with all optional parts and without.
TEST_CASE("Statements are written and read", "[statement]") {
  Statement bare = SmallStatement();
  bare.version.reset();
  bare.security_epoch.reset();
  bare.serialization.ignore_paths.clear();
  Statement large = SmallStatement();
  large.version = INT64_MAX;
  large.security_epoch = kMostSecurityEpoch;
  for (const Statement& statement : {SmallStatement(), InShards(), bare, large}) {
    CHECK(VALUE(ParseStatement(VALUE(WriteStatement(statement)))) == statement);
  }
}

// The words are those of in-toto and of the predicate.
TEST_CASE("A statement's JSON is what upstream reads", "[statement]") {
  json::value value = json::parse(VALUE(WriteStatement(InShards())));
  json::object& whole = value.as_object();
  CHECK(whole["_type"] == "https://in-toto.io/Statement/v1");
  CHECK(whole["predicateType"] == "https://model_signing/signature/v1.0");
  CHECK(Subject(whole)["name"] == "m");
  // SHA-256 over the two digests of "b" and "a", in the order of the resources.
  std::string digests;
  for (const char* text : {"b", "a"}) {
    const Digest digest = DigestOf(text);
    digests.append(digest.begin(), digest.end());
  }
  CHECK(Subject(whole)["digest"].as_object()["sha256"] == json::string(HexOf(DigestOf(digests))));
  CHECK(json::serialize(Subject(whole)["annotations"]) ==
        R"({"omserve.model":"m","omserve.version":2,"omserve.security_epoch":7})");
  CHECK(json::serialize(Serialized(whole)) ==
        R"({"hash_type":"sha256","allow_symlinks":false,"method":"shards","shard_size":8,)"
        R"("ignore_paths":["1"]})");
  CHECK(Resources(whole).front().as_object()["name"] == "2/model.om:8:11");
  CHECK(Resources(whole).front().as_object()["algorithm"] == "sha256-sharded-8");
}

// Others write no annotations, numbers as 8.0, more fields, and the hash with the shards' size.
TEST_CASE("Statements of others are read", "[statement]") {
  const std::string text = Changed(InShards(), [](json::object& whole) {
    Subject(whole).erase("annotations");
    Subject(whole)["uri"] = "https://example.org";
    Serialized(whole)["shard_size"] = 8.0;
    Serialized(whole)["hash_type"] = "sha256-sharded-8";
    Serialized(whole).erase("ignore_paths");
    Predicate(whole)["model_card"] = json::object{{"of", nullptr}};
    whole["later"] = 1;
  });
  const Statement statement = VALUE(ParseStatement(text));
  CHECK(statement.model == "m");
  CHECK_FALSE(statement.version.has_value());
  CHECK_FALSE(statement.security_epoch.has_value());
  CHECK(statement.serialization.shard_bytes == 8);
}

struct Wrong {
  void (*change)(json::object& whole);
  const char* message;
};

// Each refusal says that it is the statement, which field, and what was expected.
TEST_CASE("Statements that are refused", "[statement]") {
  const Wrong wrongs[] = {
      {[](json::object& s) { s["_type"] = "https://in-toto.io/Statement/v0.1"; },
       "'_type' is 'https://in-toto.io/Statement/v0.1', expected"},
      {[](json::object& s) { s.erase("predicateType"); }, "'predicateType' is missing"},
      {[](json::object& s) { s["predicate"] = 1; }, "'predicate' is not an object"},
      {[](json::object& s) { s["subject"] = json::array(); }, "'subject' is empty"},
      {[](json::object& s) {
         s["subject"] = json::array{Subject(s), Subject(s)};
       },
       "'subject' has 2 entries, at most 1"},
      {[](json::object& s) { Subject(s)["name"] = ""; }, "'name' has 0 bytes"},
      {[](json::object& s) { Subject(s)["digest"].as_object()["sha256"] = "00"; },
       "digest.sha256 is '00', but the digests of predicate.resources give"},
      {[](json::object& s) { Resources(s).pop_back(); }, "digest.sha256 is"},
      {[](json::object& s) { Subject(s)["annotations"].as_object()["omserve.model"] = "n"; },
       "'omserve.model' is 'n', expected 'm'"},
      {[](json::object& s) { Subject(s)["annotations"].as_object()["omserve.version"] = 0; },
       "annotations.omserve.version: not a whole number from 1"},
      {[](json::object& s) {
         Subject(s)["annotations"].as_object()["omserve.security_epoch"] = -1;
       },
       "annotations.omserve.security_epoch: not a whole number from 0"},
      {[](json::object& s) {
         Subject(s)["annotations"].as_object()["omserve.security_epoch"] = 9007199254740992;
       },
       "to 9007199254740991"},
      {[](json::object& s) { Serialized(s)["method"] = "tensors"; },
       "'method' is 'tensors', expected 'files' or 'shards'"},
      {[](json::object& s) { Serialized(s)["method"] = "files"; }, "'algorithm' is"},
      {[](json::object& s) { Serialized(s)["hash_type"] = "blake2b"; },
       "'hash_type' is 'blake2b', expected 'sha256'"},
      {[](json::object& s) { Serialized(s).erase("shard_size"); }, "'shard_size' is missing"},
      {[](json::object& s) { Serialized(s)["shard_size"] = 0; }, "shard_size: not a whole number"},
      {[](json::object& s) { Serialized(s)["shard_size"] = 8.5; },
       "shard_size: not a whole number"},
      {[](json::object& s) { Serialized(s)["allow_symlinks"] = "no"; }, "'allow_symlinks'"},
      {[](json::object& s) { Serialized(s)["ignore_paths"] = json::array{1}; }, "'ignore_paths'"},
      {[](json::object& s) { Resources(s)[0].as_object()["digest"] = "12"; },
       "resources[0]: 'digest' is '12', expected 64"},
      {[](json::object& s) { Resources(s)[1].as_object().erase("name"); },
       "resources[1]: 'name' is missing"},
      {[](json::object& s) { Resources(s)[1] = "model.om"; }, "resources[1]: not an object"},
      {[](json::object& s) { Resources(s)[1].as_object()["name"] = "2/model.om:8:11"; },
       "'2/model.om' from byte 8 is there twice"}};
  for (const Wrong& wrong : wrongs) {
    const absl::Status status = ParseStatement(Changed(InShards(), wrong.change)).status();
    INFO(ErrorOf(status));
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(ErrorOf(status), Catch::StartsWith("statement: ") && Contains(wrong.message));
  }
}

// Shards begin where shards begin, and are written as numbers usually are.
TEST_CASE("Names of shards that are refused", "[statement]") {
  for (const char* name :
       {"m", "m:0", "m:0:8:9", "m:8:8", "m:8:7", "m:1:8", "m:0:9", "m:00:8", "m:+0:8", "m:0: 8",
        "m:0:18446744073709551616", "m:0x0:8", "m:-8:0", ":0:8", "../m:0:8"}) {
    CAPTURE(name);
    const std::string text = Changed(InShards(), [name](json::object& whole) {
      Resources(whole)[0].as_object()["name"] = name;
    });
    CHECK_THAT(ErrorOf(ParseStatement(text)),
               Contains("statement: predicate.resources[0]: name '"));
  }
}

// A name leads to one file below the model's folder, or is refused.
TEST_CASE("Names of files", "[statement]") {
  for (const std::string& name :
       {std::string("m"), std::string("2/model.om"), std::string(".hidden"), std::string("..a/b.."),
        std::string("a b"), std::string("caf\xc3\xa9"), std::string(kMostNameBytes, 'a')}) {
    CAPTURE(name);
    CHECK(CheckName(name).ok());
  }
  for (const std::string& name :
       {std::string(), std::string("/etc/passwd"), std::string("../x"), std::string("a/../b"),
        std::string(".."), std::string("."), std::string("./a"), std::string("a//b"),
        std::string("a/"), std::string("a\0b", 3), std::string("a\nb"), std::string("a\x7f"),
        std::string("a\xff"), std::string("\xc0\xaf"), std::string(kMostNameBytes + 1, 'a')}) {
    CAPTURE(name);
    CHECK(absl::IsInvalidArgument(CheckName(name)));
    Statement statement = SmallStatement();
    statement.resources.front().name = name;
    CHECK_FALSE(WriteStatement(statement).ok());
  }
}

// Files do not come twice either, and a colon means nothing in them.
TEST_CASE("Files with one name are refused", "[statement]") {
  Statement statement = SmallStatement();
  statement.resources[1].name = "2/model.om:0:8";
  CHECK(VALUE(ParseStatement(VALUE(WriteStatement(statement)))) == statement);
  statement.resources[1].name = statement.resources[0].name;
  CHECK_THAT(ErrorOf(WriteStatement(statement)), Contains("'2/model.om' from byte 0"));
}

// Texts that would cost much memory or stack are refused for it.
TEST_CASE("Statements that are too large", "[statement]") {
  CHECK_THAT(ErrorOf(ParseStatement(std::string(kMostStatementBytes + 1, ' '))),
             Contains("at most 16777216 are read"));
  CHECK_THAT(ErrorOf(ParseStatement(std::string(100'000, '['))), Contains("statement: not JSON"));
  CHECK_THAT(ErrorOf(ParseStatement("[]")), Contains("statement: not a JSON object"));
  const std::string many = Changed(
      SmallStatement(), [](json::object& whole) { Resources(whole).resize(kMostResources + 1); });
  CHECK_THAT(ErrorOf(ParseStatement(many)), Contains("has 65537 entries, at most 65536"));
  const std::string whole = VALUE(WriteStatement(SmallStatement()));
  for (size_t size = 0; size < whole.size(); ++size) {
    CHECK_FALSE(ParseStatement(whole.substr(0, size)).ok());
  }
}

}  // namespace
}  // namespace omserve::trust
