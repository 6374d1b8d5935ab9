// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/model.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "runtime/acl/model_description.h"
#include "tests/runtime/acl/acl_fixture.h"
#include "tests/runtime/acl/tiny_model.h"

namespace omserve::acl {
namespace {

using Catch::Matchers::Contains;
using testing::BytesOf;
using testing::kScale;
using testing::OpenDevice;
using testing::OpenedDevice;
using testing::ScaleAddModel;
using testing::ToDevice;
using testing::ToHost;

std::string Words(const absl::Status& status) { return std::string(MessageOf(status)); }

// A model with weights of its own.
absl::StatusOr<std::unique_ptr<Model>> TryLoad(const Device& device, const std::string& om) {
  ASSIGN_OR_RETURN(std::shared_ptr<const SharedWeights> weights,
                   SharedWeights::Allocate(device, BytesOf(om)));
  return Model::Load(device, BytesOf(om), std::move(weights));
}

std::vector<float> Numbers(size_t count, float first) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    values[i] = first + 0.25F * static_cast<float>(i);
  }
  return values;
}

// Memory for all tensors of a ScaleAddModel, bound once.
struct Run {
  Run(const Model& model, float first)
      : x(Numbers(model.info().inputs[0].max_bytes / sizeof(float), first)),
        y(Numbers(x.size(), -3)),
        x_device(ToDevice(model.device(), x)),
        y_device(ToDevice(model.device(), y)),
        scaled(VALUE(model.device().Allocate(model.info().outputs[0].max_bytes))),
        summed(VALUE(model.device().Allocate(model.info().outputs[1].max_bytes))),
        binding(VALUE(Binding::Create(model))) {
    REQUIRE_OK(binding.BindInput(0, x_device.get(), x_device.size_bytes()));
    REQUIRE_OK(binding.BindInput(1, y_device.get(), y_device.size_bytes()));
    REQUIRE_OK(binding.BindOutput(0, scaled.get(), scaled.size_bytes()));
    REQUIRE_OK(binding.BindOutput(1, summed.get(), summed.size_bytes()));
  }
  // The first `count` numbers are those of the model; behind them the outputs are untouched zeros.
  void Expect(const Device& device, size_t count) const {
    const std::vector<float> got_scaled = ToHost<float>(device, scaled.get(), x.size());
    const std::vector<float> got_summed = ToHost<float>(device, summed.get(), x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      INFO(i);
      REQUIRE(got_scaled[i] == Approx(i < count ? kScale * x[i] : 0));
      REQUIRE(got_summed[i] == Approx(i < count ? kScale * x[i] + y[i] : 0));
    }
  }

  std::vector<float> x;
  std::vector<float> y;
  DeviceBuffer x_device;
  DeviceBuffer y_device;
  DeviceBuffer scaled;
  DeviceBuffer summed;
  Binding binding;
};

// Runs every gear of `model` twice over, from the largest down and up again.
void RunEveryGear(Model& model) {
  const Device& device = model.device();
  Run run(model, 1);
  Stream stream = VALUE(device.CreateStream());
  std::vector<size_t> order;
  for (size_t gear = 0; gear < model.info().gears.size(); ++gear) {
    order.insert(order.begin(), gear);
    order.push_back(gear);
  }
  for (const size_t gear : order) {
    INFO(gear);
    REQUIRE_OK(device.Clear(run.scaled.get(), run.scaled.size_bytes()));
    REQUIRE_OK(device.Clear(run.summed.get(), run.summed.size_bytes()));
    REQUIRE_OK(model.Enqueue(run.binding, gear, stream));
    REQUIRE_OK(stream.Synchronize());
    run.Expect(device, static_cast<size_t>(*ElementCount(model.info().gears[gear].input_dims[0])));
  }
}

// A model of one size has that size as its only gear, the names of the graph, and computes.
TEST_CASE("a model without gears runs") {
  const OpenedDevice opened = OpenDevice();
  const std::string om = ScaleAddModel({2, 3}, om::GearKind::kNone, {});
  const std::unique_ptr<Model> model = VALUE(TryLoad(*opened.device, om));
  const ModelInfo& info = model->info();
  CHECK_FALSE(info.has_gear_input);
  REQUIRE(info.inputs.size() == 2);
  REQUIRE(info.outputs.size() == 2);
  CHECK(info.inputs[0].name == "x");
  CHECK(info.inputs[1].name == "y");
  CHECK(info.outputs[0].name == "scaled");
  CHECK(info.outputs[1].name == "summed");
  CHECK(info.inputs[0].type == DataType::kFp32);
  CHECK(info.inputs[0].dims == Dims{2, 3});
  CHECK(info.inputs[0].max_bytes == 24);
  REQUIRE(info.gears.size() == 1);
  CHECK(info.gears[0].input_dims == std::vector<Dims>{{2, 3}, {2, 3}});
  CHECK(info.gears[0].output_dims == std::vector<Dims>{{2, 3}, {2, 3}});
  CHECK(model->work_bytes() == 4096);
  CHECK(model->weight_bytes() == sizeof(float));
  RunEveryGear(*model);
}

// Batch gears come sorted with full dims, and each computes its own rows only.
TEST_CASE("a model with batch gears runs at each of them") {
  const OpenedDevice opened = OpenDevice();
  const std::string om = ScaleAddModel({-1, 3}, om::GearKind::kBatch, {{4}, {1}, {8}, {2}});
  const std::unique_ptr<Model> model = VALUE(TryLoad(*opened.device, om));
  const ModelInfo& info = model->info();
  CHECK(info.has_gear_input);
  REQUIRE(info.inputs.size() == 2);
  REQUIRE(info.gears.size() == 4);
  const std::vector<int64_t> batches = {1, 2, 4, 8};
  for (size_t i = 0; i < batches.size(); ++i) {
    CHECK(info.gears[i].input_dims == std::vector<Dims>{{batches[i], 3}, {batches[i], 3}});
    CHECK(info.gears[i].output_dims == std::vector<Dims>{{batches[i], 3}, {batches[i], 3}});
  }
  CHECK(info.inputs[0].dims == Dims{8, 3});
  CHECK(info.outputs[0].dims == Dims{8, 3});
  CHECK(info.outputs[0].max_bytes == 96);
  RunEveryGear(*model);
}

// Gears over several dims, of which none is the largest in all.
TEST_CASE("a model with gears over dims runs at each of them") {
  const OpenedDevice opened = OpenDevice();
  const std::string om =
      ScaleAddModel({-1, 2, -1}, om::GearKind::kDims, {{4, 4}, {1, 8}, {1, 2}, {5, 1}});
  const std::unique_ptr<Model> model = VALUE(TryLoad(*opened.device, om));
  std::vector<Dims> order;
  for (const ModelGear& gear : model->info().gears) {
    CHECK(gear.input_dims[0] == gear.input_dims[1]);
    CHECK(gear.input_dims[0] == gear.output_dims[1]);
    order.push_back(gear.input_dims[0]);
  }
  CHECK(order == std::vector<Dims>{{1, 2, 2}, {5, 2, 1}, {1, 2, 8}, {4, 2, 4}});
  RunEveryGear(*model);
}

// Gears of height and width.
TEST_CASE("a model with image gears runs at each of them") {
  const OpenedDevice opened = OpenDevice();
  const std::string om =
      ScaleAddModel({1, 2, -1, -1}, om::GearKind::kImage, {{6, 4}, {2, 3}, {4, 4}});
  const std::unique_ptr<Model> model = VALUE(TryLoad(*opened.device, om));
  REQUIRE(model->info().gears.size() == 3);
  CHECK(model->info().gears[0].input_dims[0] == Dims{1, 2, 2, 3});
  CHECK(model->info().gears[2].input_dims[0] == Dims{1, 2, 6, 4});
  RunEveryGear(*model);
}

// Two bindings of one model keep their own gears, though AscendCL keeps one per model id.
TEST_CASE("bindings of one model alternate between gears") {
  const OpenedDevice opened = OpenDevice();
  const Device& device = *opened.device;
  const std::string om = ScaleAddModel({-1, 3}, om::GearKind::kBatch, {{1}, {4}});
  const std::unique_ptr<Model> model = VALUE(TryLoad(device, om));
  Run small(*model, 1);
  Run large(*model, 100);
  REQUIRE_OK(device.Clear(small.scaled.get(), small.scaled.size_bytes()));
  REQUIRE_OK(device.Clear(small.summed.get(), small.summed.size_bytes()));
  Stream stream = VALUE(device.CreateStream());
  for (int round = 0; round < 3; ++round) {
    REQUIRE_OK(model->Enqueue(small.binding, 0, stream));
    REQUIRE_OK(model->Enqueue(large.binding, 1, stream));
    REQUIRE_OK(model->Enqueue(large.binding, 1, stream));
    REQUIRE_OK(model->Enqueue(small.binding, 0, stream));
    REQUIRE_OK(stream.Synchronize());
  }
  small.Expect(device, 3);
  large.Expect(device, 12);
}

// Instances share one copy of the weights, run on streams of their own, and outlive each other.
TEST_CASE("instances share weights") {
  const OpenedDevice opened = OpenDevice();
  const Device& device = *opened.device;
  const size_t before = testing::FreeBytes(device);
  const std::string om = ScaleAddModel({-1, 3}, om::GearKind::kBatch, {{1}, {4}});
  {
    std::shared_ptr<const SharedWeights> weights =
        VALUE(SharedWeights::Allocate(device, BytesOf(om)));
    const size_t with_weights = testing::FreeBytes(device);
    CHECK(with_weights < before);
    std::unique_ptr<Model> first = VALUE(Model::Load(device, BytesOf(om), weights));
    const size_t with_one = testing::FreeBytes(device);
    const std::unique_ptr<Model> second = VALUE(Model::Load(device, BytesOf(om), weights));
    CHECK(with_one - testing::FreeBytes(device) == with_weights - with_one);
    weights.reset();
    Stream first_stream = VALUE(device.CreateStream());
    Stream second_stream = VALUE(device.CreateStream());
    Run first_run(*first, 1);
    Run second_run(*second, 50);
    REQUIRE_OK(first->Enqueue(first_run.binding, 1, first_stream));
    REQUIRE_OK(second->Enqueue(second_run.binding, 1, second_stream));
    REQUIRE_OK(first_stream.Synchronize());
    REQUIRE_OK(second_stream.Synchronize());
    first_run.Expect(device, 12);
    second_run.Expect(device, 12);
    first.reset();
    REQUIRE_OK(second->Enqueue(second_run.binding, 1, second_stream));
    REQUIRE_OK(second_stream.Synchronize());
    second_run.Expect(device, 12);
  }
  CHECK(testing::FreeBytes(device) == before);
}

// A model without weights, and one whose weights the device keeps itself, load like others.
TEST_CASE("weights are optional") {
  const OpenedDevice opened = OpenDevice();
  const Device& device = *opened.device;
  const std::string pick = testing::PickModel();
  CHECK(VALUE(TryLoad(device, pick))->weight_bytes() == 0);
  const std::string om = ScaleAddModel({2, 3}, om::GearKind::kNone, {});
  const std::unique_ptr<Model> model = VALUE(Model::Load(device, BytesOf(om), nullptr));
  CHECK(model->weight_bytes() == 0);
  RunEveryGear(*model);
}

// An execution that fails on the device is told to its stream, once, and the stream goes on.
TEST_CASE("a failed execution is attributed to its stream") {
  const OpenedDevice opened = OpenDevice();
  const Device& device = *opened.device;
  const std::unique_ptr<Model> model = VALUE(TryLoad(device, testing::PickModel()));
  CHECK(model->info().inputs[0].type == DataType::kInt64);
  const DeviceBuffer good_index = ToDevice(device, std::vector<int64_t>{2});
  const DeviceBuffer bad_index = ToDevice(device, std::vector<int64_t>{9});
  const DeviceBuffer picked = VALUE(device.Allocate(sizeof(float)));
  Binding binding = VALUE(Binding::Create(*model));
  REQUIRE_OK(binding.BindOutput(0, picked.get(), sizeof(float)));
  Stream stream = VALUE(device.CreateStream());
  Stream other = VALUE(device.CreateStream());
  Event passed = VALUE(device.CreateEvent(false));

  REQUIRE_OK(binding.BindInput(0, bad_index.get(), sizeof(int64_t)));
  REQUIRE_OK(model->Enqueue(binding, 0, stream));
  REQUIRE_OK(stream.Record(passed));
  REQUIRE_OK(other.Wait(passed));
  REQUIRE_OK(other.Synchronize());  // Now the failure has been reported.
  REQUIRE_OK(other.TakeTaskError());
  const absl::Status failure = stream.TakeTaskError();
  CHECK(failure.code() == absl::StatusCode::kInternal);
  CHECK_THAT(Words(failure), Contains(fmt::format("stream {} on device 0", stream.id())) &&
                                 Contains("ACL_ERROR_RT_MODEL_EXECUTE"));
  REQUIRE_OK(stream.TakeTaskError());

  // The library keeps the failure for the next synchronisation as well.
  CHECK_FALSE(stream.Synchronize().ok());
  REQUIRE_OK(binding.BindInput(0, good_index.get(), sizeof(int64_t)));
  REQUIRE_OK(model->Enqueue(binding, 0, stream));
  REQUIRE_OK(stream.Synchronize());
  CHECK(ToHost<float>(device, picked.get(), 1) == std::vector<float>{12});

  REQUIRE_OK(binding.BindInput(0, bad_index.get(), sizeof(int64_t)));
  REQUIRE_OK(model->Enqueue(binding, 0, stream));
  CHECK_THAT(Words(stream.Synchronize()), Contains("ACL_ERROR_RT_MODEL_EXECUTE"));
  REQUIRE_OK(stream.TakeTaskError());
  REQUIRE_OK(device.TakeTaskError(stream.id()));
}

// Mistakes in binding are caught before the device could read or write past a buffer.
TEST_CASE("an execution that does not fit its binding is refused") {
  const OpenedDevice opened = OpenDevice();
  const Device& device = *opened.device;
  const std::string om = ScaleAddModel({-1, 3}, om::GearKind::kBatch, {{1}, {4}});
  const std::unique_ptr<Model> model = VALUE(TryLoad(device, om));
  const std::unique_ptr<Model> other = VALUE(TryLoad(device, om));
  Stream stream = VALUE(device.CreateStream());
  Run run(*model, 1);
  const auto refusal = [&](Model& of, size_t gear) {
    const absl::Status status = of.Enqueue(run.binding, gear, stream);
    REQUIRE(status.code() == absl::StatusCode::kInternal);
    return Words(status);
  };
  CHECK_THAT(refusal(*model, 2), Contains("gear 2") && Contains("it has 2"));
  CHECK_THAT(refusal(*other, 0), Contains("another load"));
  REQUIRE_OK(run.binding.BindInput(1, run.y_device.get(), 47));
  CHECK_THAT(refusal(*model, 1), Contains("input 'y' is bound to 47 bytes: the gear needs 48"));
  REQUIRE_OK(model->Enqueue(run.binding, 0, stream));
  REQUIRE_OK(run.binding.BindInput(1, DevicePtr{}, 48));
  CHECK_THAT(refusal(*model, 0), Contains("input 'y' is bound to 0 bytes"));
  REQUIRE_OK(run.binding.BindInput(1, run.y_device.get(), 48));
  REQUIRE_OK(run.binding.BindOutput(0, run.scaled.get(), 12));
  CHECK_THAT(refusal(*model, 1), Contains("output 'scaled' is bound to 12 bytes"));
  CHECK_THAT(Words(run.binding.BindInput(2, run.x_device.get(), 48)), Contains("input 2"));
  CHECK_THAT(Words(run.binding.BindOutput(9, run.x_device.get(), 48)), Contains("output 9"));
  REQUIRE_OK(stream.Synchronize());
}

// A file for another chip is refused with both chips' names.
TEST_CASE("a file for another chip is an invalid argument") {
  const OpenedDevice opened = OpenDevice();
  const std::string om =
      testing::ForOtherChip(ScaleAddModel({2, 3}, om::GearKind::kNone, {}), "Ascend310P3");
  const absl::Status status = TryLoad(*opened.device, om).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(Words(status), Contains("Ascend310P3") && Contains("OmserveHost"));
}

// Whatever bytes come: loading refuses them or works, and leaves no device memory behind.
TEST_CASE("damaged files are refused") {
  const OpenedDevice opened = OpenDevice("\"memory_bytes\": 67108864");
  const Device& device = *opened.device;
  const std::string om = ScaleAddModel({-1, 3}, om::GearKind::kBatch, {{1}, {4}});
  const size_t before = testing::FreeBytes(device);
  CHECK(TryLoad(device, "").status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(TryLoad(device, "not a model").status().code() == absl::StatusCode::kInvalidArgument);
  for (size_t length = 0; length < om.size(); length += om.size() / 40) {
    INFO(length);
    const absl::Status status = TryLoad(device, om.substr(0, length)).status();
    REQUIRE(status.code() == absl::StatusCode::kInvalidArgument);
  }
  std::mt19937 random(20260101);  // NOLINT: the same damage in every run.
  for (int round = 0; round < 200; ++round) {
    std::string damaged = om;
    for (int i = 0; i < 3; ++i) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    const absl::Status status = TryLoad(device, damaged).status();
    INFO(round << " " << Words(status));
    REQUIRE((status.ok() || status.code() == absl::StatusCode::kInvalidArgument ||
             status.code() == absl::StatusCode::kResourceExhausted));
  }
  CHECK(testing::FreeBytes(device) == before);
}

// A model whose work memory is not to be had is refused and leaves nothing behind.
TEST_CASE("a model that does not fit the device is resource exhausted") {
  const OpenedDevice opened = OpenDevice("\"memory_bytes\": 1048576");
  const Device& device = *opened.device;
  const std::string om = ScaleAddModel({2, 3}, om::GearKind::kNone, {});
  const std::unique_ptr<Model> model = VALUE(TryLoad(device, om));
  const size_t free_bytes = testing::FreeBytes(device);
  const DeviceBuffer rest = VALUE(device.Allocate(free_bytes - 2048));
  const size_t before = testing::FreeBytes(device);
  const absl::Status status = TryLoad(device, om).status();
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK_THAT(Words(status), Contains("4096 bytes on device 0"));
  CHECK(testing::FreeBytes(device) == before);
}

// Output names have node and index in front, but other names with colons are left as they are.
TEST_CASE("TensorNameOfOutput takes node and index off") {
  CHECK(TensorNameOfOutput("Conv_3:0:logits") == "logits");
  CHECK(TensorNameOfOutput("a/b/c:12:scope/name:0") == "scope/name:0");
  CHECK(TensorNameOfOutput("logits") == "logits");
  CHECK(TensorNameOfOutput("name:0") == "name:0");
  CHECK(TensorNameOfOutput("a:b:c") == "a:b:c");
  CHECK(TensorNameOfOutput("a::c") == "a::c");
  CHECK(TensorNameOfOutput("a:0:") == "a:0:");
  CHECK(TensorNameOfOutput("") == "");
}

// Types have their KServe counterparts; those without one are told apart.
TEST_CASE("DataTypeFromAcl knows the served types") {
  CHECK(DataTypeFromAcl(ACL_FLOAT) == DataType::kFp32);
  CHECK(DataTypeFromAcl(ACL_FLOAT16) == DataType::kFp16);
  CHECK(DataTypeFromAcl(ACL_BF16) == DataType::kBf16);
  CHECK(DataTypeFromAcl(ACL_DOUBLE) == DataType::kFp64);
  CHECK(DataTypeFromAcl(ACL_BOOL) == DataType::kBool);
  CHECK(DataTypeFromAcl(ACL_INT8) == DataType::kInt8);
  CHECK(DataTypeFromAcl(ACL_UINT64) == DataType::kUint64);
  CHECK(DataTypeFromAcl(ACL_INT4) == DataType::kInvalid);
  CHECK(DataTypeFromAcl(ACL_STRING) == DataType::kInvalid);
  CHECK(DataTypeFromAcl(ACL_DT_UNDEFINED) == DataType::kInvalid);
}

}  // namespace
}  // namespace omserve::acl
