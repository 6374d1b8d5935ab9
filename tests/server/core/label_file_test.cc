// SPDX-License-Identifier: Apache-2.0
#include "server/core/label_file.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Labels = std::vector<std::vector<std::string>>;

const std::vector<TensorSpec> kOutputs = {{"y", DataType::kFp32, {3}}, {"z", DataType::kFp32, {2}}};

inference::ModelConfig Config(const std::string& file) {
  inference::ModelConfig config;
  config.add_output()->set_name("z");
  config.mutable_output(0)->set_label_filename(file);
  config.add_output()->set_name("y");
  return config;
}

absl::StatusOr<Labels> Read(const std::string& file) {
  return ReadLabelFiles(Config(file), std::filesystem::current_path(), kOutputs);
}

absl::StatusOr<Labels> ReadText(const std::string& text) {
  REQUIRE_OK(WriteFileAtomically("labels.txt", text));
  return Read("labels.txt");
}

// A label a line, whatever ends the lines; a class without a text; the output that has no file.
TEST_CASE("Labels stand in the order of the outputs", "[1.9/labels]") {
  CHECK(VALUE(ReadText("cat\nred fox\n")) == Labels{{}, {"cat", "red fox"}});
  CHECK(VALUE(ReadText("cat\r\n\r\nfox")) == Labels{{}, {"cat", "", "fox"}});
  CHECK(VALUE(Read("")) == Labels{{}, {}});
  REQUIRE_OK(WriteFileAtomically("labels.json", R"(["cat", "fox"])"));
  CHECK(VALUE(Read("labels.json")) == Labels{{}, {"cat", "fox"}});
}

// What is told of a file that is not there, is empty, or holds what no client could read.
TEST_CASE("Files of labels that are refused", "[1.9/labels]") {
  const auto refusal = [](const absl::StatusOr<Labels>& labels, absl::StatusCode code) {
    REQUIRE(labels.status().code() == code);
    CHECK_THAT(std::string(MessageOf(labels.status())), Contains("label_filename of output 'z'"));
    return std::string(MessageOf(labels.status()));
  };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  CHECK_THAT(refusal(Read("nowhere.txt"), absl::StatusCode::kNotFound), Contains("nowhere.txt"));
  CHECK_THAT(refusal(ReadText(""), kInvalid), Contains("empty"));
  CHECK_THAT(refusal(ReadText("cat\n\xff\n"), kInvalid), Contains("label 1 is not UTF-8"));
  CHECK_THAT(refusal(ReadText(std::string(kMostLabelBytes + 1, 'x')), kInvalid),
             Contains("label 0 has 4097 bytes, expected 4096 at most"));
}

}  // namespace
}  // namespace omserve::server
