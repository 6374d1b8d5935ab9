// SPDX-License-Identifier: Apache-2.0
// 1.9: models with gears: what they list, how a gear is set, and that it is what runs.
#include <array>

#include "tests/runtime/hostacl/contract/model_run.h"

namespace omserve::hostacl {
namespace {

constexpr size_t kNoIndex = static_cast<size_t>(-1);

aclmdlIODims Dims(const std::vector<int64_t>& values) {
  aclmdlIODims dims{};
  dims.dimCount = values.size();
  std::copy(values.begin(), values.end(), dims.dims);
  return dims;
}

// The value of the reserved input, which is of 64 bits where the buffer has room for them.
std::vector<uint64_t> GearValues(ModelRun& run) {
  return run.input_memory(run.gear_index()).Read<uint64_t>();
}

TEST_CASE("The gear is an input of its own", "[rule/reserved-input][needs models]") {
  const AclSession session;
  LoadedModel model(BatchLinearModel());
  CHECK(ACL(aclmdlGetNumInputs)(model.desc()) == 2);
  size_t index = 0;
  REQUIRE_ACL(ACL(aclmdlGetInputIndexByName)(model.desc(), ACL_DYNAMIC_TENSOR_NAME, &index));
  CHECK(index == 1);
  CHECK(ACL(aclmdlGetInputDataType)(model.desc(), index) == ACL_INT32);
  CHECK(ACL(aclmdlGetInputSizeByIndex)(model.desc(), index) >= sizeof(int32_t));
  LoadedModel fixed(StaticLinearModel());
  CHECK(ACL(aclmdlGetInputIndexByName)(fixed.desc(), ACL_DYNAMIC_TENSOR_NAME, &index) ==
        ACL_ERROR_INVALID_PARAM);
}

TEST_CASE("Sizes are those of the largest gear",
          "[rule/largest-gear-sizes][1.9/aclmdlGetInputSizeByIndex]"
          "[1.9/aclmdlGetOutputSizeByIndex][1.9/aclmdlGetInputDims][1.9/aclmdlGetOutputDims]"
          "[needs models]") {
  const AclSession session;
  LoadedModel model(BatchLinearModel());
  CHECK(ACL(aclmdlGetInputSizeByIndex)(model.desc(), 0) >= 4 * 3 * sizeof(float));
  CHECK(ACL(aclmdlGetOutputSizeByIndex)(model.desc(), 0) >= 4 * 128 * sizeof(float));
  aclmdlIODims dims{};
  REQUIRE_ACL(ACL(aclmdlGetInputDims)(model.desc(), 0, &dims));
  CHECK(dims.dims[0] == -1);
  CHECK(dims.dims[1] == 3);
  REQUIRE_ACL(ACL(aclmdlGetOutputDims)(model.desc(), 0, &dims));
  CHECK(dims.dims[0] == 4);
  CHECK(dims.dims[1] == 128);
}

// A kind of gears that a model has not counts 0.
TEST_CASE("Batch gears are listed", "[1.9/aclmdlGetDynamicBatch][needs models]") {
  const AclSession session;
  LoadedModel model(BatchLinearModel());
  aclmdlBatch batch{};
  REQUIRE_ACL(ACL(aclmdlGetDynamicBatch)(model.desc(), &batch));
  REQUIRE(batch.batchCount == 3);
  CHECK(batch.batch[0] == 1);
  CHECK(batch.batch[1] == 2);
  CHECK(batch.batch[2] == 4);
  aclmdlHW images{};
  REQUIRE_ACL(ACL(aclmdlGetDynamicHW)(model.desc(), kNoIndex, &images));
  CHECK(images.hwCount == 0);
  size_t gears = 9;
  REQUIRE_ACL(ACL(aclmdlGetInputDynamicGearCount)(model.desc(), kNoIndex, &gears));
  CHECK(gears == 0);
  LoadedModel fixed(StaticLinearModel());
  REQUIRE_ACL(ACL(aclmdlGetDynamicBatch)(fixed.desc(), &batch));
  CHECK(batch.batchCount == 0);
  CHECK(ACL(aclmdlGetDynamicBatch)(fixed.desc(), nullptr) == ACL_ERROR_INVALID_PARAM);
}

// [i][0] is the height, [i][1] the width.
TEST_CASE("Image gears are listed", "[1.9/aclmdlGetDynamicHW][needs models]") {
  const AclSession session;
  LoadedModel model(ImageModel());
  aclmdlHW images{};
  REQUIRE_ACL(ACL(aclmdlGetDynamicHW)(model.desc(), kNoIndex, &images));
  REQUIRE(images.hwCount == 2);
  CHECK(images.hw[0][0] == 4);
  CHECK(images.hw[0][1] == 6);
  CHECK(images.hw[1][0] == 8);
  CHECK(images.hw[1][1] == 8);
  CHECK(ACL(aclmdlGetDynamicHW)(model.desc(), kNoIndex, nullptr) == ACL_ERROR_INVALID_PARAM);
}

// Each holds the dims of all inputs, joined.
TEST_CASE("Dims gears are listed",
          "[1.9/aclmdlGetInputDynamicGearCount][1.9/aclmdlGetInputDynamicDims][needs models]") {
  const AclSession session;
  LoadedModel model(DimsModel());
  size_t count = 0;
  REQUIRE_ACL(ACL(aclmdlGetInputDynamicGearCount)(model.desc(), kNoIndex, &count));
  REQUIRE(count == 3);
  std::array<aclmdlIODims, 3> gears{};
  REQUIRE_ACL(ACL(aclmdlGetInputDynamicDims)(model.desc(), kNoIndex, gears.data(), count));
  const int64_t expected[3][2] = {{1, 16}, {8, 16}, {8, 32}};
  for (size_t i = 0; i < 3; ++i) {
    REQUIRE(gears[i].dimCount == 2);
    CHECK(gears[i].dims[0] == expected[i][0]);
    CHECK(gears[i].dims[1] == expected[i][1]);
  }
}

// At each gear its own rows are computed, in buffers of the largest.
TEST_CASE("A batch model runs at each gear",
          "[1.9/aclmdlSetDynamicBatchSize][1.9/aclmdlGetCurOutputDims][needs models]") {
  const AclSession session;
  ModelRun run(BatchLinearModel());
  for (const size_t batch : {size_t{1}, size_t{4}, size_t{2}}) {
    REQUIRE_ACL(ACL(aclmdlSetDynamicBatchSize)(run.id(), run.input(), run.gear_index(), batch));
    aclmdlIODims dims{};
    REQUIRE_ACL(ACL(aclmdlGetCurOutputDims)(run.desc(), 0, &dims));
    CHECK(dims.dims[0] == static_cast<int64_t>(batch));
    CheckNear(run.Execute(LinearRows(batch), batch * 128), LinearAnswer(LinearRows(batch)));
  }
}

TEST_CASE("The largest gear is current before any is set",
          "[1.9/aclmdlGetCurOutputDims][needs models]") {
  const AclSession session;
  LoadedModel model(BatchLinearModel());
  aclmdlIODims dims{};
  REQUIRE_ACL(ACL(aclmdlGetCurOutputDims)(model.desc(), 0, &dims));
  CHECK(dims.dims[0] == 4);
}

TEST_CASE("An image model runs at each gear", "[1.9/aclmdlSetDynamicHWSize][needs models]") {
  const AclSession session;
  ModelRun run(ImageModel());
  const uint64_t gears[][2] = {{4, 6}, {8, 8}};
  for (const auto& [height, width] : gears) {
    const size_t count = height * width;
    REQUIRE_ACL(
        ACL(aclmdlSetDynamicHWSize)(run.id(), run.input(), run.gear_index(), height, width));
    const std::vector<float> x(count, 2.0F);
    CheckNear(run.Execute(x, count), std::vector<float>(count, 4.0F));
  }
}

TEST_CASE("A dims model runs at each gear", "[1.9/aclmdlSetInputDynamicDims][needs models]") {
  const AclSession session;
  ModelRun run(DimsModel());
  for (const std::vector<int64_t>& gear : {std::vector<int64_t>{1, 16}, {8, 32}, {8, 16}}) {
    const aclmdlIODims dims = Dims(gear);
    REQUIRE_ACL(ACL(aclmdlSetInputDynamicDims)(run.id(), run.input(), run.gear_index(), &dims));
    const auto count = static_cast<size_t>(gear[0] * gear[1]);
    const std::vector<float> x(count, 1.5F);
    CheckNear(run.Execute(x, count), std::vector<float>(count, 3.0F));
  }
}

// 145013 for a batch between two gears; the other setters refuse what is none of theirs.
TEST_CASE("What is no gear is refused",
          "[rule/exact-gears][1.9/aclmdlSetDynamicBatchSize][1.9/aclmdlSetDynamicHWSize]"
          "[1.9/aclmdlSetInputDynamicDims][needs models]") {
  const AclSession session;
  ModelRun batches(BatchLinearModel());
  const size_t index = batches.gear_index();
  CHECK(ACL(aclmdlSetDynamicBatchSize)(batches.id(), batches.input(), index, 3) ==
        ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID);
  CHECK(ACL(aclmdlSetDynamicBatchSize)(batches.id(), batches.input(), index, 0) != ACL_SUCCESS);
  CHECK(ACL(aclmdlSetDynamicBatchSize)(batches.id(), batches.input(), 0, 2) != ACL_SUCCESS);
  CHECK(ACL(aclmdlSetDynamicBatchSize)(batches.id(), nullptr, index, 2) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlSetDynamicHWSize)(batches.id(), batches.input(), index, 8, 8) != ACL_SUCCESS);
  ModelRun images(ImageModel());
  CHECK(ACL(aclmdlSetDynamicHWSize)(images.id(), images.input(), images.gear_index(), 6, 4) !=
        ACL_SUCCESS);
  ModelRun dims(DimsModel());
  const aclmdlIODims between = Dims({2, 16});
  CHECK(ACL(aclmdlSetInputDynamicDims)(dims.id(), dims.input(), dims.gear_index(), &between) !=
        ACL_SUCCESS);
  CHECK(ACL(aclmdlSetInputDynamicDims)(dims.id(), dims.input(), dims.gear_index(), nullptr) !=
        ACL_SUCCESS);
}

// It is there when the setter returns, as one value of 64 bits or as two.
TEST_CASE("A setter writes the gear into device memory",
          "[rule/gear-value-in-device-memory][needs models]") {
  const AclSession session;
  ModelRun batches(BatchLinearModel());
  REQUIRE_ACL(
      ACL(aclmdlSetDynamicBatchSize)(batches.id(), batches.input(), batches.gear_index(), 2));
  CHECK(GearValues(batches)[0] == 2);
  ModelRun images(ImageModel());
  REQUIRE_ACL(ACL(aclmdlSetDynamicHWSize)(images.id(), images.input(), images.gear_index(), 4, 6));
  CHECK(GearValues(images)[0] == 4);
  CHECK(GearValues(images)[1] == 6);
}

// Where the buffer has no room for 64 bits the value is one of 32.
TEST_CASE("A small gear buffer holds 32 bits",
          "[rule/gear-value-in-device-memory][1.9/aclmdlSetDynamicBatchSize][needs models]") {
  const AclSession session;
  const ModelRun run(BatchLinearModel());
  const DeviceBytes gear(std::vector<uint32_t>{77});
  const TestDataset input({EntryOf(run.input_memory(0)), EntryOf(gear)});
  for (const size_t batch : {size_t{1}, size_t{4}, size_t{2}}) {
    REQUIRE_ACL(ACL(aclmdlSetDynamicBatchSize)(run.id(), input.get(), 1, batch));
    CHECK(gear.Read<uint32_t>()[0] == batch);
    run.Write(LinearRows(batch));
    REQUIRE_ACL(ACL(aclmdlExecute)(run.id(), input.get(), run.output()));
    CheckNear(run.Read(batch * 128), LinearAnswer(LinearRows(batch)));
  }
}

// A buffer that holds the small gear is enough for it.
TEST_CASE("Buffers of a gear model may be smaller than the largest gear",
          "[rule/gear-buffer-size][needs models][needs hostacl]") {
  const AclSession session;
  const LoadedModel model(BatchLinearModel());
  const DeviceBytes x(LinearRows(1));
  const DeviceBytes y(128 * sizeof(float));
  const DeviceBytes gear(sizeof(uint64_t));
  const TestDataset input({EntryOf(x), EntryOf(gear)});
  const TestDataset output({EntryOf(y)});
  REQUIRE_ACL(ACL(aclmdlSetDynamicBatchSize)(model.id(), input.get(), 1, 1));
  REQUIRE_ACL(ACL(aclmdlExecute)(model.id(), input.get(), output.get()));
  CheckNear(y.Read<float>(), LinearAnswer(LinearRows(1)));
}

}  // namespace
}  // namespace omserve::hostacl
