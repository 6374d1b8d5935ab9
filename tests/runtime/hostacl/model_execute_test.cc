// SPDX-License-Identifier: Apache-2.0
// Executing models: now and in streams, with the numbers that ONNX Runtime gives, and failing well.
#include <cmath>
#include <random>
#include <vector>

#include "tests/runtime/hostacl/model_files.h"
#include "tests/runtime/hostacl/ort_reference.h"
#include "tests/status_test_util.h"
#include "tools/omc/compile.h"

namespace omserve::hostacl {
namespace {

const std::vector<float>& TwoRows() {
  static const std::vector<float> rows{1, 2, 3, -0.5F, 0.25F, 4};
  return rows;
}

// The static linear model with its buffers.
struct LinearRun {
  LinearRun()
      : model(StaticLinearModel()),
        x(TwoRows()),
        y(2 * 128 * sizeof(float)),
        input({EntryOf(x)}),
        output({EntryOf(y)}) {}

  LoadedModel model;
  DeviceBytes x;
  DeviceBytes y;
  TestDataset input;
  TestDataset output;
};

// A real network gives what ONNX Runtime gives on the ONNX file, at every gear.
TEST_CASE("A real model equals ONNX Runtime") {
  const AclSession session;
  omc::CompileOptions options;
  options.model_path = OMSERVE_SOURCE_DIR "/tools/demo/scenes/models/vision_a.onnx";
  options.gears.batch_gears = "1,2";
  options.ort_library = kOrtLibrary;
  const std::string file = VALUE(omc::Compile(options)).file;
  LoadedModel model(file);
  aclmdlDesc* desc = model.desc();
  const DeviceBytes x(ACL(aclmdlGetInputSizeByIndex)(desc, 0));
  const DeviceBytes y(ACL(aclmdlGetOutputSizeByIndex)(desc, 0));
  const DeviceBytes gear(8);
  const TestDataset input({EntryOf(x), EntryOf(gear)});
  const TestDataset output({EntryOf(y)});
  aclmdlIODims io{};
  REQUIRE_ACL(ACL(aclmdlGetInputDims)(desc, 0, &io));
  std::mt19937 random(7);
  std::uniform_real_distribution<float> pixel(-1, 1);
  for (const int64_t batch : {int64_t{1}, int64_t{2}}) {
    std::vector<int64_t> dims(io.dims, io.dims + io.dimCount);
    dims[0] = batch;
    std::vector<float> values(x.size_bytes() / sizeof(float) / 2 * static_cast<size_t>(batch));
    for (float& value : values) {
      value = pixel(random);
    }
    REQUIRE_ACL(ACL(aclrtMemcpy)(x.get(), x.size_bytes(), values.data(),
                                 values.size() * sizeof(float), ACL_MEMCPY_HOST_TO_DEVICE));
    REQUIRE_ACL(
        ACL(aclmdlSetDynamicBatchSize)(model.id(), input.get(), 1, static_cast<uint64_t>(batch)));
    REQUIRE_ACL(ACL(aclmdlExecute)(model.id(), input.get(), output.get()));
    const std::vector<float> expected = RunOnnxFile(options.model_path, dims, values);
    const std::vector<float> got = y.Read<float>();
    REQUIRE(expected.size() == got.size() / 2 * static_cast<size_t>(batch));
    float worst = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      worst = std::max(worst, std::abs(got[i] - expected[i]));
    }
    CHECK(worst <= 1e-5F);
  }
}

// Too few buffers, buffers without memory, and unknown models or datasets are refused at the call.
TEST_CASE("Executions that cannot be are refused") {
  const AclSession session;
  const LinearRun run;
  const TestDataset empty({});
  const TestDataset no_memory({{nullptr, 24}});
  CHECK(ACL(aclmdlExecute)(run.model.id(), empty.get(), run.output.get()) == ACL_ERROR_GE_FAILURE);
  CHECK_THAT(RecentError(), Catch::Contains("Blobs not match"));
  CHECK(ACL(aclmdlExecute)(run.model.id(), run.input.get(), empty.get()) == ACL_ERROR_GE_FAILURE);
  CHECK(ACL(aclmdlExecute)(run.model.id(), no_memory.get(), run.output.get()) ==
        ACL_ERROR_GE_PARAM_INVALID);
  const TestDataset left_to_the_device({{nullptr, 0}});
  CHECK(ACL(aclmdlExecuteAsync)(run.model.id(), run.input.get(), left_to_the_device.get(),
                                nullptr) == ACL_ERROR_GE_PARAM_INVALID);
  CHECK(ACL(aclmdlExecute)(4711, run.input.get(), run.output.get()) ==
        ACL_ERROR_GE_EXEC_MODEL_ID_INVALID);
  CHECK(ACL(aclmdlExecute)(run.model.id(), nullptr, run.output.get()) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlExecute)(run.model.id(), run.input.get(), nullptr) == ACL_ERROR_INVALID_PARAM);
}

// A static model takes a buffer up to 64 bytes short of its size, and refuses one shorter (E13025).
TEST_CASE("Sizes are checked with a tolerance of 64 bytes") {
  const AclSession session;
  const LinearRun run;
  const TestDataset tolerated({{run.y.get(), 2 * 128 * sizeof(float) - 64}});
  CHECK(ACL(aclmdlExecute)(run.model.id(), run.input.get(), tolerated.get()) == ACL_SUCCESS);
  const TestDataset too_short({{run.y.get(), 2 * 128 * sizeof(float) - 65}});
  CHECK(ACL(aclmdlExecute)(run.model.id(), run.input.get(), too_short.get()) ==
        ACL_ERROR_GE_PARAM_INVALID);
  CHECK_THAT(RecentError(), Catch::Contains("E13025"));
}

// Memory that is really too small, freed, or the host's fails the task: 507015, naming the tensor.
TEST_CASE("Memory that is not there fails the task") {
  const AclSession session;
  const LinearRun run;
  const DeviceBytes small(64);
  const TestDataset lying({{small.get(), 2 * 128 * sizeof(float)}});
  CHECK(ACL(aclmdlExecute)(run.model.id(), run.input.get(), lying.get()) ==
        ACL_ERROR_RT_AICORE_EXCEPTION);
  CHECK_THAT(RecentError(), Catch::Contains("output"));
  std::vector<float> host(2 * 128);
  const TestDataset on_host({{host.data(), host.size() * sizeof(float)}});
  CHECK(ACL(aclmdlExecute)(run.model.id(), run.input.get(), on_host.get()) ==
        ACL_ERROR_RT_AICORE_EXCEPTION);
}

// A model that fails while it runs gives 507011 with the engine's words, and runs again after.
TEST_CASE("A failing execution surfaces at synchronisation") {
  const AclSession session;
  const TestStream stream;
  LoadedModel model(GatherModel());
  const DeviceBytes wrong(std::vector<int64_t>{4});
  const DeviceBytes right(std::vector<int64_t>{2});
  const DeviceBytes y(sizeof(float));
  const TestDataset wrong_input({EntryOf(wrong)});
  const TestDataset right_input({EntryOf(right)});
  const TestDataset output({EntryOf(y)});
  REQUIRE_ACL(ACL(aclmdlExecuteAsync)(model.id(), wrong_input.get(), output.get(), stream.get()));
  REQUIRE_ACL(ACL(aclmdlExecuteAsync)(model.id(), right_input.get(), output.get(), stream.get()));
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_ERROR_RT_MODEL_EXECUTE);
  CHECK_THAT(RecentError(), Catch::Contains("gather"));
  CHECK(y.Read<float>() == std::vector<float>{30});
  CHECK(ACL(aclmdlExecute)(model.id(), wrong_input.get(), output.get()) ==
        ACL_ERROR_RT_MODEL_EXECUTE);
}

// One model id is in flight on one stream: a launch on a second one is refused, and so is
// unloading.
TEST_CASE("A model id is in flight on one stream only") {
  const AclSession session;
  const TestStream first;
  const TestStream second;
  const LinearRun run;
  {
    StreamGate gate(first.get());
    REQUIRE_ACL(
        ACL(aclmdlExecuteAsync)(run.model.id(), run.input.get(), run.output.get(), first.get()));
    REQUIRE_ACL(
        ACL(aclmdlExecuteAsync)(run.model.id(), run.input.get(), run.output.get(), first.get()));
    CHECK(ACL(aclmdlExecuteAsync)(run.model.id(), run.input.get(), run.output.get(),
                                  second.get()) == ACL_ERROR_RT_STREAM_MODEL);
    CHECK(ACL(aclmdlExecute)(run.model.id(), run.input.get(), run.output.get()) ==
          ACL_ERROR_RT_STREAM_MODEL);
    CHECK(ACL(aclmdlUnload)(run.model.id()) == ACL_ERROR_GE_UNLOAD_MODEL);
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(first.get()));
  CHECK(ACL(aclmdlExecuteAsync)(run.model.id(), run.input.get(), run.output.get(), second.get()) ==
        ACL_SUCCESS);
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(second.get()));
}

// Load, execute and unload are under one context: 107004 under another.
TEST_CASE("A model of another context is refused") {
  const AclSession session;
  const LinearRun run;
  aclrtContext mine = nullptr;
  REQUIRE_ACL(ACL(aclrtGetCurrentContext)(&mine));
  aclrtContext other = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateContext)(&other, 0));
  CHECK(ACL(aclmdlExecute)(run.model.id(), run.input.get(), run.output.get()) ==
        ACL_ERROR_RT_MODEL_CONTEXT);
  CHECK(ACL(aclmdlUnload)(run.model.id()) == ACL_ERROR_RT_MODEL_CONTEXT);
  REQUIRE_ACL(ACL(aclrtDestroyContext)(other));
  REQUIRE_ACL(ACL(aclrtSetCurrentContext)(mine));
}

}  // namespace
}  // namespace omserve::hostacl
