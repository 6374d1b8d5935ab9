// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/tokenize.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <filesystem>

#include "runtime/base/file.h"
#include "tests/runtime/hostops/host_op_test_util.h"

namespace omserve::hostops {
namespace {

using Catch::Matchers::Contains;
using Ids = std::vector<int64_t>;

// The folder of the tests' own vocabularies; `name` is written into it.
std::string FolderWith(const std::string& name, const std::string& contents) {
  std::filesystem::create_directory("vocabularies");
  REQUIRE_OK(WriteFileAtomically("vocabularies/" + name, contents));
  return "vocabularies";
}

constexpr char kWords[] = R"(["<pad>","<unk>","a","b","c",",","<bos>","<eos>","caf\u00e9"])";

std::unique_ptr<HostOp> Make(ParameterMap parameters) {
  const std::string folder = FolderWith("words.json", kWords);
  parameters.emplace("vocab", "words.json");
  parameters.emplace("length", "6");
  return VALUE(TryMake("tokenize", parameters, folder));
}

Ids IdsOf(const HostOp& op, const std::string& text) {
  const Call call = RunTexts(op, {text});
  REQUIRE_OK(call.status);
  return call.Values<int64_t>(0);
}

// All questions of the samples get the numbers their model was trained with, padded to 32.
TEST_CASE("Every sample question is tokenized as in training") {
  const auto op = VALUE(TryMake("tokenize", {{"vocab", "models/vocab.json"}, {"length", "32"}}));
  const std::string text = VALUE(ReadFile(std::string(kScenes) + "/samples/samples.json"));
  size_t questions = 0;
  const boost::json::value samples = boost::json::parse(text.c_str());
  for (const boost::json::value& sample : samples.as_array()) {
    for (const boost::json::value& question : sample.at("questions").as_array()) {
      Ids expected;
      for (const boost::json::value& id : question.at("input_ids").as_array()) {
        expected.push_back(id.as_int64());
      }
      Ids mask(expected.size(), 1);
      expected.resize(32, 0);
      mask.resize(32, 0);
      const Call call = RunTexts(*op, {question.at("text").as_string().c_str()});
      REQUIRE_OK(call.status);
      CHECK(call.Values<int64_t>(0) == expected);
      CHECK(call.Values<int64_t>(1) == mask);
      ++questions;
    }
  }
  CHECK(questions == 128);
}

// The op says what it takes and gives, under the names it was told.
TEST_CASE("Tokenize declares its tensors") {
  const auto op = Make({{"input", "question"}, {"ids", "tokens"}, {"mask", "valid"}});
  CHECK(op->inputs() == std::vector<TensorSpec>{{"question", DataType::kBytes, {1}}});
  CHECK(op->outputs() == std::vector<TensorSpec>{{"tokens", DataType::kInt64, {6}},
                                                 {"valid", DataType::kInt64, {6}}});
  CHECK(op->MaxOutputBytes(0, 3) == 3U * 6 * 8);
  CHECK(op->MaxOutputBytes(1, 3) == 3U * 6 * 8);
}

// Case, white space and question marks make no difference; unknown words have a number.
TEST_CASE("Words are normalised before they are looked up") {
  const auto op = Make({});
  CHECK(IdsOf(*op, "a b") == Ids{6, 2, 3, 7, 0, 0});
  CHECK(IdsOf(*op, "  A\t\nB?. ") == Ids{6, 2, 3, 7, 0, 0});
  CHECK(IdsOf(*op, "a?b") == Ids{6, 2, 3, 7, 0, 0});
  CHECK(IdsOf(*op, "a zebra ab") == Ids{6, 2, 1, 1, 7, 0});
}

// No text is begin and end only.
TEST_CASE("An empty text has no words") {
  const auto op = Make({});
  CHECK(IdsOf(*op, "") == Ids{6, 7, 0, 0, 0, 0});
  CHECK(RunTexts(*op, {""}).Values<int64_t>(1) == Ids{1, 1, 0, 0, 0, 0});
}

// Rows of a batch do not touch each other.
TEST_CASE("Rows are tokenized one by one") {
  const Call call = RunTexts(*Make({{"length", "4"}}), {"a b", "", "c"});
  REQUIRE_OK(call.status);
  CHECK(call.Values<int64_t>(0) == Ids{6, 2, 3, 7, 6, 7, 0, 0, 6, 4, 7, 0});
  CHECK(call.Values<int64_t>(1) == Ids{1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 0});
}

// Each switch changes what it says and nothing else.
TEST_CASE("Parameters of tokenize change the words") {
  CHECK(IdsOf(*Make({{"lower_case", "false"}}), "A b") == Ids{6, 1, 3, 7, 0, 0});
  CHECK(IdsOf(*Make({{"strip", ""}}), "a? b") == Ids{6, 1, 3, 7, 0, 0});
  CHECK(IdsOf(*Make({{"bos", ""}, {"eos", ""}}), "a b") == Ids{2, 3, 0, 0, 0, 0});
  CHECK(IdsOf(*Make({{"pad", "c"}, {"unk", "b"}}), "zebra") == Ids{6, 3, 7, 4, 4, 4});
  CHECK(IdsOf(*Make({}), "a,b") == Ids{6, 1, 7, 0, 0, 0});
  CHECK(IdsOf(*Make({{"isolate", ","}}), "a,b") == Ids{6, 2, 5, 3, 7, 0});
}

// Bytes that are not ASCII are letters; neither their case nor their validity is touched.
TEST_CASE("Texts are bytes beyond ASCII") {
  const auto op = Make({});
  CHECK(IdsOf(*op, "CAF\xc3\xa9") == Ids{6, 8, 7, 0, 0, 0});
  CHECK(IdsOf(*op, "CAF\xc3\x89") == Ids{6, 1, 7, 0, 0, 0});
  CHECK(IdsOf(*op, std::string("\xff\xfe a\0 b", 7)) == Ids{6, 1, 1, 3, 7, 0});
}

// A text that just fits passes; one word more is refused with both numbers, or cut if so wished.
TEST_CASE("Texts that are too long are refused or cut") {
  CHECK(IdsOf(*Make({}), "a b c a") == Ids{6, 2, 3, 4, 2, 7});
  CHECK_THAT(
      ErrorOf(RunTexts(*Make({}), {"a", "a b c a b"}).status),
      Contains("input 'text' row 1: text has 5 words, expected at most 4") && Contains("truncate"));
  CHECK(IdsOf(*Make({{"truncate", "true"}}), "a b c a b") == Ids{6, 2, 3, 4, 2, 7});
}

// Every parameter that cannot be meant is refused, with its name and what was expected.
TEST_CASE("Wrong parameters of tokenize are refused") {
  const auto error = [](const ParameterMap& more) {
    ParameterMap parameters = {{"vocab", "words.json"}, {"length", "6"}};
    for (const auto& entry : more) {
      parameters[entry.first] = entry.second;
    }
    return MakeError("tokenize", parameters, FolderWith("words.json", kWords));
  };
  CHECK_THAT(MakeError("tokenize", {{"length", "6"}}), Contains("'vocab' is missing"));
  CHECK_THAT(MakeError("tokenize", {{"vocab", "models/vocab.json"}}),
             Contains("'length' is missing"));
  CHECK_THAT(error({{"length", "2"}}), Contains("at least one word"));
  CHECK_THAT(error({{"length", "-1"}}), Contains("'length' is '-1'"));
  CHECK_THAT(error({{"lower_case", "yes"}}), Contains("expected true or false"));
  CHECK_THAT(error({{"truncate", "1"}}), Contains("expected true or false"));
  CHECK_THAT(error({{"unk", "zebra"}}), Contains("which has no 'zebra'"));
  CHECK_THAT(error({{"bos", "<s>"}}), Contains("'bos' is '<s>'"));
  CHECK_THAT(error({{"unk", ""}}), Contains("'unk' is ''"));
  CHECK_THAT(error({{"pad", ""}}), Contains("'pad' is ''"));
  CHECK_THAT(error({{"isolate", "?"}}), Contains("'strip' as well"));
  CHECK_THAT(error({{"mask", "input_ids"}}), Contains("another name"));
  CHECK_THAT(error({{"vocabulary", "x"}}), Contains("unknown parameter 'vocabulary'"));
}

// A vocabulary with a word twice would give one of them a number nobody can reach.
TEST_CASE("A vocabulary names each word once") {
  const std::string folder = FolderWith("twice.json", R"(["<pad>","a","a"])");
  CHECK_THAT(MakeError("tokenize", {{"vocab", "twice.json"}, {"length", "6"}}, folder),
             Contains("twice.json") && Contains("words 1 and 2 are both 'a'"));
}

}  // namespace
}  // namespace omserve::hostops
