// SPDX-License-Identifier: Apache-2.0
// Gears: what a model says of them, setting them, and running at them.
#include <array>
#include <memory>
#include <vector>

#include "tests/runtime/hostacl/model_files.h"

namespace omserve::hostacl {
namespace {

constexpr size_t kAll = static_cast<size_t>(-1);

// A gear model with its buffers at the largest gear: x, y, and the reserved input.
struct GearRun {
  GearRun(const std::string& file, size_t x_bytes, size_t y_bytes, size_t gear_bytes)
      : model(file),
        x(x_bytes),
        y(y_bytes),
        gear(gear_bytes),
        input({EntryOf(x), EntryOf(gear)}),
        output({EntryOf(y)}) {}

  std::vector<float> Execute(const std::vector<float>& values, size_t count) {
    REQUIRE_ACL(ACL(aclrtMemcpy)(x.get(), x.size_bytes(), values.data(),
                                 values.size() * sizeof(float), ACL_MEMCPY_HOST_TO_DEVICE));
    REQUIRE_ACL(ACL(aclmdlExecute)(model.id(), input.get(), output.get()));
    std::vector<float> all = y.Read<float>();
    all.resize(count);
    return all;
  }

  LoadedModel model;
  DeviceBytes x;
  DeviceBytes y;
  DeviceBytes gear;
  TestDataset input;
  TestDataset output;
};

std::unique_ptr<GearRun> BatchRun(size_t gear_bytes) {
  return std::make_unique<GearRun>(BatchLinearModel(), 4 * 3 * sizeof(float),
                                   4 * 128 * sizeof(float), gear_bytes);
}

// The reserved input is the last one and found by its name; dims show -1 where a gear decides.
TEST_CASE("A batch model describes its gears") {
  const AclSession session;
  LoadedModel model(BatchLinearModel());
  aclmdlDesc* desc = model.desc();
  CHECK(ACL(aclmdlGetNumInputs)(desc) == 2);
  size_t index = 0;
  REQUIRE_ACL(ACL(aclmdlGetInputIndexByName)(desc, ACL_DYNAMIC_TENSOR_NAME, &index));
  CHECK(index == 1);
  CHECK(ACL(aclmdlGetInputDataType)(desc, index) == ACL_INT32);
  CHECK(ACL(aclmdlGetInputSizeByIndex)(desc, index) >= sizeof(int32_t));
  aclmdlBatch batch{};
  REQUIRE_ACL(ACL(aclmdlGetDynamicBatch)(desc, &batch));
  REQUIRE(batch.batchCount == 3);
  CHECK(batch.batch[0] == 1);
  CHECK(batch.batch[2] == 4);
  aclmdlIODims dims{};
  REQUIRE_ACL(ACL(aclmdlGetInputDims)(desc, 0, &dims));
  CHECK(dims.dims[0] == -1);
  REQUIRE_ACL(ACL(aclmdlGetOutputDims)(desc, 0, &dims));
  CHECK(dims.dims[0] == 4);
  CHECK(ACL(aclmdlGetInputSizeByIndex)(desc, 0) == 4 * 3 * sizeof(float));
  aclmdlHW images{};
  REQUIRE_ACL(ACL(aclmdlGetDynamicHW)(desc, kAll, &images));
  CHECK(images.hwCount == 0);
  size_t gears = 9;
  REQUIRE_ACL(ACL(aclmdlGetInputDynamicGearCount)(desc, kAll, &gears));
  CHECK(gears == 0);
  CHECK(ACL(aclmdlGetDynamicHW)(desc, 0, &images) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlGetDynamicBatch)(desc, nullptr) == ACL_ERROR_INVALID_PARAM);
}

// Rows beyond the gear are not written.
TEST_CASE("A small gear leaves the rest of the output alone") {
  const AclSession session;
  const auto run = BatchRun(8);
  REQUIRE_ACL(ACL(aclrtMemset)(run->y.get(), run->y.size_bytes(), 0x7F, run->y.size_bytes()));
  REQUIRE_ACL(ACL(aclmdlSetDynamicBatchSize)(run->model.id(), run->input.get(), 1, 1));
  run->Execute({1, 2, 3}, 128);
  const std::vector<uint8_t> bytes = run->y.Read<uint8_t>();
  CHECK(bytes[128 * sizeof(float)] == 0x7F);
  CHECK(bytes.back() == 0x7F);
}

// The gear that counts is the one in the device's memory when the task runs, as on the chip.
TEST_CASE("The gear is read from device memory at execution") {
  const AclSession session;
  const TestStream stream;
  const auto run = BatchRun(8);
  REQUIRE_ACL(ACL(aclmdlSetDynamicBatchSize)(run->model.id(), run->input.get(), 1, 4));
  const std::vector<float> x{1, 2, 3};
  REQUIRE_ACL(
      ACL(aclrtMemcpy)(run->x.get(), run->x.size_bytes(), x.data(), 12, ACL_MEMCPY_HOST_TO_DEVICE));
  REQUIRE_ACL(ACL(aclrtMemset)(run->y.get(), run->y.size_bytes(), 0, run->y.size_bytes()));
  const DeviceBytes other_gear(std::vector<uint64_t>{1});
  REQUIRE_ACL(ACL(aclrtMemcpyAsync)(run->gear.get(), 8, other_gear.get(), 8,
                                    ACL_MEMCPY_DEVICE_TO_DEVICE, stream.get()));
  REQUIRE_ACL(
      ACL(aclmdlExecuteAsync)(run->model.id(), run->input.get(), run->output.get(), stream.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  const std::vector<float> y = run->y.Read<float>();
  CHECK(std::vector<float>(y.begin(), y.begin() + 128) == LinearAnswer(x));
  CHECK(y[128] == 0);
}

// A value in the buffer that is no gear fails the task, and the text names value and gears.
TEST_CASE("A gear that is none fails the execution") {
  const AclSession session;
  const auto run = BatchRun(8);
  const uint64_t wrong = 3;
  REQUIRE_ACL(ACL(aclrtMemcpy)(run->gear.get(), 8, &wrong, 8, ACL_MEMCPY_HOST_TO_DEVICE));
  CHECK(ACL(aclmdlExecute)(run->model.id(), run->input.get(), run->output.get()) ==
        ACL_ERROR_RT_MODEL_EXECUTE);
  const std::string text = RecentError();
  CHECK_THAT(text, Catch::Contains("[3]"));
  CHECK_THAT(text, Catch::Contains("1, 2, 4"));
}

// A batch that is no gear is 145013, and the text names the gears that there are.
TEST_CASE("Setting a batch that is no gear is refused") {
  const AclSession session;
  const auto run = BatchRun(8);
  CHECK(ACL(aclmdlSetDynamicBatchSize)(run->model.id(), run->input.get(), 1, 3) ==
        ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID);
  CHECK_THAT(RecentError(), Catch::Contains("1, 2, 4"));
  CHECK(ACL(aclmdlSetDynamicBatchSize)(run->model.id(), run->input.get(), 1, 0) ==
        ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID);
  CHECK(ACL(aclmdlSetDynamicBatchSize)(run->model.id(), run->input.get(), 1, UINT64_MAX) ==
        ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID);
}

// Setters that do not fit the model, the index or the buffer are refused with what would fit.
TEST_CASE("Setters that do not fit are refused") {
  const AclSession session;
  const auto run = BatchRun(2);
  const uint32_t id = run->model.id();
  CHECK(ACL(aclmdlSetDynamicHWSize)(id, run->input.get(), 1, 8, 8) == ACL_ERROR_INVALID_PARAM);
  CHECK_THAT(RecentError(), Catch::Contains("batch gears 1, 2, 4"));
  CHECK(ACL(aclmdlSetDynamicBatchSize)(id, run->input.get(), 0, 2) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlSetDynamicBatchSize)(id, run->input.get(), 1, 2) ==
        ACL_ERROR_GE_DYNAMIC_INPUT_LENGTH_INVALID);
  CHECK(ACL(aclmdlSetDynamicBatchSize)(id, nullptr, 1, 2) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlSetDynamicBatchSize)(4711, run->input.get(), 1, 2) ==
        ACL_ERROR_GE_EXEC_MODEL_ID_INVALID);
  const TestDataset without_memory({EntryOf(run->x), {nullptr, 8}});
  CHECK(ACL(aclmdlSetDynamicBatchSize)(id, without_memory.get(), 1, 2) ==
        ACL_ERROR_GE_DYNAMIC_INPUT_ADDR_INVALID);
  LoadedModel fixed(StaticLinearModel());
  CHECK(ACL(aclmdlSetDynamicBatchSize)(fixed.id(), run->input.get(), 0, 2) ==
        ACL_ERROR_INVALID_PARAM);
  CHECK_THAT(RecentError(),
             Catch::Contains("a batch gear was asked for; it has no gears; it was compiled for "
                             "batch 2: x [2,3]"));
}

aclmdlIODims Dims(const std::vector<int64_t>& values) {
  aclmdlIODims dims{};
  dims.dimCount = values.size();
  std::copy(values.begin(), values.end(), dims.dims);
  return dims;
}

// A dims model lists its gears as all inputs' dims joined, takes them back, and runs at them.
TEST_CASE("A dims model lists its gears and runs at them") {
  const AclSession session;
  GearRun run(DimsModel(), 8 * 32 * sizeof(float), 8 * 32 * sizeof(float), 16);
  size_t count = 0;
  REQUIRE_ACL(ACL(aclmdlGetInputDynamicGearCount)(run.model.desc(), kAll, &count));
  REQUIRE(count == 3);
  std::array<aclmdlIODims, 3> gears{};
  REQUIRE_ACL(ACL(aclmdlGetInputDynamicDims)(run.model.desc(), kAll, gears.data(), 3));
  CHECK(gears[0].dimCount == 2);
  CHECK(gears[2].dims[0] == 8);
  CHECK(gears[2].dims[1] == 32);
  CHECK(ACL(aclmdlGetInputDynamicDims)(run.model.desc(), kAll, gears.data(), 2) ==
        ACL_ERROR_INVALID_PARAM);
  for (const aclmdlIODims& gear : gears) {
    REQUIRE_ACL(ACL(aclmdlSetInputDynamicDims)(run.model.id(), run.input.get(), 1, &gear));
    aclmdlIODims output{};
    REQUIRE_ACL(ACL(aclmdlGetCurOutputDims)(run.model.desc(), 0, &output));
    CHECK(output.dims[1] == gear.dims[1]);
    const std::vector<float> x(static_cast<size_t>(gear.dims[0] * gear.dims[1]), 1.5F);
    CHECK(run.Execute(x, x.size()) == std::vector<float>(x.size(), 3.0F));
  }
  const aclmdlIODims wrong = Dims({2, 16});
  CHECK(ACL(aclmdlSetInputDynamicDims)(run.model.id(), run.input.get(), 1, &wrong) ==
        ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID);
  CHECK_THAT(RecentError(), Catch::Contains("1,16; 8,16; 8,32"));
  const aclmdlIODims too_many = Dims({8, 16, 1});
  CHECK(ACL(aclmdlSetInputDynamicDims)(run.model.id(), run.input.get(), 1, &too_many) ==
        ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlSetInputDynamicDims)(run.model.id(), run.input.get(), 1, nullptr) ==
        ACL_ERROR_INVALID_PARAM);
}

// An image model lists height and width, and runs at them.
TEST_CASE("An image model lists its gears and runs at them") {
  const AclSession session;
  GearRun run(ImageModel(), 64 * sizeof(float), 64 * sizeof(float), 16);
  aclmdlHW images{};
  REQUIRE_ACL(ACL(aclmdlGetDynamicHW)(run.model.desc(), kAll, &images));
  REQUIRE(images.hwCount == 2);
  CHECK(images.hw[0][0] == 4);
  CHECK(images.hw[0][1] == 6);
  REQUIRE_ACL(ACL(aclmdlSetDynamicHWSize)(run.model.id(), run.input.get(), 1, 4, 6));
  CHECK(run.Execute(std::vector<float>(24, 2.0F), 24) == std::vector<float>(24, 4.0F));
  CHECK(ACL(aclmdlSetDynamicHWSize)(run.model.id(), run.input.get(), 1, 6, 4) ==
        ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID);
}

}  // namespace
}  // namespace omserve::hostacl
