// SPDX-License-Identifier: Apache-2.0
#include "server/core/warm_up_samples.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>

#include "config/model_config.h"
#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

scheduler::Bucket MakeBucket(std::vector<Dims> inputs, std::vector<size_t> row_bytes) {
  return {.input_dims = std::move(inputs),
          .output_dims = {},
          .input_row_bytes = std::move(row_bytes),
          .output_row_bytes = {},
          .gears = {{.rows = 1, .model_gear = 0}, {.rows = 4, .model_gear = 1}}};
}

// Inputs a [length] FP32 and b [2] INT8, for lengths 4 and 8, 1 and 4 rows; the folder of its
// files.
class Model {
 public:
  Model() {
    shape_.batched = true;
    shape_.inputs = {{"a", DataType::kFp32, {-1}}, {"b", DataType::kInt8, {2}}};
    shape_.buckets = {MakeBucket({{4}, {2}}, {16, 2}), MakeBucket({{8}, {2}}, {32, 2})};
    folder_ = (std::filesystem::temp_directory_path() / "omserve-warm-up-XXXXXX").string();
    REQUIRE(mkdtemp(folder_.data()) != nullptr);
    std::filesystem::create_directory(folder_ + "/warmup");
  }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  ~Model() { std::filesystem::remove_all(folder_); }

  void Write(const std::string& file, const std::string& bytes) const {
    REQUIRE_OK(WriteFileAtomically(folder_ + "/warmup/" + file, bytes));
  }
  // Of one sample with `inputs`.
  absl::StatusOr<std::vector<scheduler::WarmUpSample>> Samples(
      const std::string& inputs, const std::string& batch = "batch_size: 2") const {
    const std::string text =
        "max_batch_size: 4\ninput: [{name: a}, {name: b, optional: true}]\nmodel_warmup: [{name: "
        "w, " +
        batch + ", inputs: {" + inputs + "}}]\n";
    const config::LoadedModelConfig loaded =
        VALUE(config::ParseModelConfig(config::TextFormat::kYaml, text, "f", "m"));
    return MakeWarmUpSamples(loaded.config, shape_, folder_);
  }
  std::string Error(const std::string& inputs, const std::string& batch = "batch_size: 2") const {
    return std::string(MessageOf(Samples(inputs, batch).status()));
  }

  const std::string& folder() const { return folder_; }

 private:
  scheduler::SubgraphShape shape_;
  std::string folder_;
};

// Dims choose among what was compiled; zeros need no bytes, nor does what may be left out.
TEST_CASE("Samples: zeros", "[warm_up]") {
  const Model model;
  const auto samples =
      VALUE(model.Samples("a: {data_type: TYPE_FP32, dims: [8], zero_data: true}"));
  REQUIRE(samples.size() == 1);
  CHECK(samples[0].name == "w");
  CHECK(samples[0].bucket == 1);
  CHECK(samples[0].rows == 2);
  CHECK(samples[0].count == 1);
  CHECK(samples[0].inputs == std::vector<std::string>{"", ""});
  CHECK(VALUE(model.Samples("a: {zero_data: true}", "count: 3"))[0].count == 3);
  CHECK(VALUE(model.Samples("a: {zero_data: true}", "count: 3"))[0].rows == 1);
}

// Random numbers are the same at every load, and are numbers.
TEST_CASE("Samples: random data", "[warm_up]") {
  const Model model;
  const std::string inputs = "a: {dims: [4], random_data: true}, b: {random_data: true}";
  const std::string bytes = VALUE(model.Samples(inputs))[0].inputs[0];
  REQUIRE(bytes.size() == 32);
  CHECK(VALUE(model.Samples(inputs))[0].inputs[0] == bytes);
  std::vector<float> numbers(8);
  std::memcpy(numbers.data(), bytes.data(), bytes.size());
  for (const float number : numbers) {
    CHECK(number >= 0.5F);
    CHECK(number < 1.0F);
  }
  const std::string whole = VALUE(model.Samples(inputs))[0].inputs[1];
  for (const char number : whole) {
    CHECK(number >= 0);
    CHECK(number < 8);
  }
}

// A file has one row, which comes again for each, or all rows.
TEST_CASE("Samples: files", "[warm_up]") {
  const Model model;
  const std::string inputs = "a: {dims: [4], input_data_file: a.bin}";
  const std::string row = "0123456789abcdef";
  model.Write("a.bin", row);
  CHECK(VALUE(model.Samples(inputs))[0].inputs[0] == row + row);
  model.Write("a.bin", row + "fedcba9876543210");
  CHECK(VALUE(model.Samples(inputs))[0].inputs[0] == row + "fedcba9876543210");
  model.Write("a.bin", row + "0");
  CHECK(model.Error(inputs) == "model_warmup[0] 'w': input 'a': " + model.folder() +
                                   "/warmup/a.bin has 17 bytes, expected 16, those of one row, or "
                                   "32, those of 2 rows");
  CHECK(model.Error("a: {input_data_file: none.bin}").find("none.bin") != std::string::npos);
}

// What is wrong with a sample is told with the sample and the input.
TEST_CASE("Samples: errors", "[warm_up]") {
  const Model model;
  CHECK(model.Error("b: {zero_data: true}") ==
        "model_warmup[0] 'w': input 'a' is missing; add it to inputs");
  CHECK(model.Error("a: {zero_data: true}, c: {zero_data: true}") ==
        "model_warmup[0] 'w': input 'c' is no input of the model; it has 'a', 'b'");
  CHECK(model.Error("a: {data_type: TYPE_FP16, zero_data: true}") ==
        "model_warmup[0] 'w': input 'a': data_type is FP16, but the model has FP32");
  CHECK(model.Error("a: {dims: [5], zero_data: true}") ==
        "model_warmup[0] 'w': rows of dims [5][] were not compiled; the model has [4][2] x 1,4; "
        "[8][2] x 1,4");
  CHECK(model.Error("a: {zero_data: true}", "batch_size: 5") ==
        "model_warmup[0] 'w': batch_size is 5, expected 1 to 4 (max_batch_size)");
}

}  // namespace
}  // namespace omserve::server
