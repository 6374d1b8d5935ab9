// SPDX-License-Identifier: Apache-2.0
// Models of dynamic shape: the dims are given with each execution and come back with its outputs.
#include <array>
#include <thread>
#include <vector>

#include "tests/runtime/hostacl/model_files.h"
#include "tests/runtime/hostacl/violation_report.h"
#include "tests/status_test_util.h"

namespace omserve::hostacl {
namespace {

aclError Describe(const TestDataset& dataset, const std::vector<int64_t>& dims, size_t index = 0) {
  aclTensorDesc* const desc = ACL(aclCreateTensorDesc)(ACL_FLOAT, static_cast<int>(dims.size()),
                                                       dims.data(), ACL_FORMAT_ND);
  const aclError code = ACL(aclmdlSetDatasetTensorDesc)(dataset.get(), desc, index);
  ACL(aclDestroyTensorDesc)(desc);
  return code;
}

// Dims of the first tensor that the last execution described; none without a description.
std::vector<int64_t> DescribedDims(const TestDataset& dataset) {
  const aclTensorDesc* const desc = ACL(aclmdlGetDatasetTensorDesc)(dataset.get(), 0);
  std::vector<int64_t> dims(ACL(aclGetTensorDescNumDims)(desc));
  for (size_t i = 0; i < dims.size(); ++i) {
    REQUIRE_ACL(ACL(aclGetTensorDescDimV2)(desc, i, &dims[i]));
  }
  return dims;
}

std::vector<float> Rows(size_t count, float first) {
  std::vector<float> x(count * 3);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = first + static_cast<float>(i);
  }
  return x;
}

std::vector<float> ReadFloats(const void* address, size_t count) {
  std::vector<float> values(count);
  REQUIRE_ACL(ACL(aclrtMemcpy)(values.data(), count * sizeof(float), address, count * sizeof(float),
                               ACL_MEMCPY_DEVICE_TO_HOST));
  return values;
}

// The device's memory for the output of an execution that was to allocate it.
class GivenOutput final {
 public:
  explicit GivenOutput(const TestDataset& dataset)
      : buffer_(ACL(aclmdlGetDatasetBuffer)(dataset.get(), 0)) {}
  ~GivenOutput() {
    ACL(aclrtFree)(address());
    ACL(aclUpdateDataBuffer)(buffer_, nullptr, 0);
  }
  GivenOutput(const GivenOutput&) = delete;
  GivenOutput& operator=(const GivenOutput&) = delete;
  void* address() const { return ACL(aclGetDataBufferAddr)(buffer_); }
  size_t size_bytes() const { return ACL(aclGetDataBufferSizeV2)(buffer_); }

 private:
  aclDataBuffer* const buffer_;
};

// The dynamic linear model with room for eight rows on either side.
struct LinearRun {
  LinearRun()
      : model(DynamicLinearModel()),
        x(Rows(8, 1)),
        y(8 * 128 * sizeof(float)),
        input({EntryOf(x)}),
        output({EntryOf(y)}) {}

  LoadedModel model;
  DeviceBytes x;
  DeviceBytes y;
  TestDataset input;
  TestDataset output;
};

// What is not known is -1 or 0; the range says what may be. The sizes to load with are not known
// either.
TEST_CASE("A dynamic shape is described as unknown") {
  const AclSession session;
  const std::string file = DynamicLinearModel();
  LoadedModel model(file);
  aclmdlDesc* const desc = model.desc();
  CHECK(ACL(aclmdlGetNumInputs)(desc) == 1);
  CHECK(ACL(aclmdlGetInputSizeByIndex)(desc, 0) == 0);
  CHECK(ACL(aclmdlGetOutputSizeByIndex)(desc, 0) == 0);
  aclmdlIODims dims{};
  REQUIRE_ACL(ACL(aclmdlGetInputDims)(desc, 0, &dims));
  CHECK(std::vector<int64_t>(dims.dims, dims.dims + dims.dimCount) == std::vector<int64_t>{-1, 3});
  REQUIRE_ACL(ACL(aclmdlGetOutputDims)(desc, 0, &dims));
  CHECK(std::vector<int64_t>(dims.dims, dims.dims + dims.dimCount) ==
        std::vector<int64_t>{-1, 128});
  aclmdlIODimsRange range{};
  REQUIRE_ACL(ACL(aclmdlGetInputDimsRange)(desc, 0, &range));
  REQUIRE(range.rangeCount == 2);
  CHECK((range.range[0][0] == 1 && range.range[0][1] == 8));
  CHECK((range.range[1][0] == 3 && range.range[1][1] == 3));
  size_t work = 0;
  size_t weights = 0;
  CHECK(ACL(aclmdlQuerySizeFromMem)(file.data(), file.size(), &work, &weights) ==
        ACL_ERROR_GE_PARAM_INVALID);
  CHECK_THAT(RecentError(), Catch::Contains("x [1~8,3]"));
}

// A synchronous execution allocates what comes out, of the size that it has, and says its dims.
TEST_CASE("A waited execution of dynamic shape allocates its outputs") {
  const AclSession session;
  const LinearRun run;
  const TestDataset output({{nullptr, 0}});
  for (const size_t rows : {size_t{1}, size_t{8}, size_t{3}}) {
    REQUIRE_ACL(Describe(run.input, {static_cast<int64_t>(rows), 3}));
    REQUIRE_ACL(ACL(aclmdlExecute)(run.model.id(), run.input.get(), output.get()));
    const GivenOutput given(output);
    REQUIRE(given.size_bytes() == rows * 128 * sizeof(float));
    CHECK(ReadFloats(given.address(), rows * 128) == LinearAnswer(Rows(rows, 1)));
    CHECK(DescribedDims(output) == std::vector<int64_t>{static_cast<int64_t>(rows), 128});
  }
  const aclTensorDesc* const desc = ACL(aclmdlGetDatasetTensorDesc)(output.get(), 0);
  CHECK(ACL(aclGetTensorDescType)(desc) == ACL_FLOAT);
  CHECK(ACL(aclGetTensorDescFormat)(desc) == ACL_FORMAT_ND);
  CHECK(ACL(aclGetTensorDescSize)(desc) == 3 * 128 * sizeof(float));
}

// On a stream of the caller's likewise, with a deadline.
TEST_CASE("A waited execution on a stream allocates its outputs") {
  const AclSession session;
  const TestStream stream;
  const LinearRun run;
  const TestDataset output({{nullptr, 0}});
  REQUIRE_ACL(Describe(run.input, {2, 3}));
  aclmdlExecConfigHandle* const config = ACL(aclmdlCreateExecConfigHandle)();
  REQUIRE_ACL(
      ACL(aclmdlExecuteV2)(run.model.id(), run.input.get(), output.get(), stream.get(), config));
  const GivenOutput given(output);
  CHECK(ReadFloats(given.address(), 256) == LinearAnswer(Rows(2, 1)));
  CHECK(ACL(aclmdlDestroyExecConfigHandle)(config) == ACL_SUCCESS);
}

// Data decide the size of an output, down to nothing at all; without an end to the range, any dim
// goes.
TEST_CASE("Data decide the size of an output") {
  const AclSession session;
  LoadedModel model(PositionsModel());
  const TestDataset output({{nullptr, 0}});
  const std::vector<std::pair<std::vector<float>, std::vector<int64_t>>> cases = {
      {{0, 5, 0, 7, 1}, {1, 3, 4}}, {{0, 0}, {}}, {std::vector<float>(1000, 0), {}}};
  for (const auto& [x, at] : cases) {
    const DeviceBytes bytes(x);
    const TestDataset input({EntryOf(bytes)});
    REQUIRE_ACL(Describe(input, {static_cast<int64_t>(x.size())}));
    REQUIRE_ACL(ACL(aclmdlExecute)(model.id(), input.get(), output.get()));
    const GivenOutput given(output);
    CHECK(DescribedDims(output) == std::vector<int64_t>{1, static_cast<int64_t>(at.size())});
    REQUIRE(given.size_bytes() == at.size() * sizeof(int64_t));
    CHECK(given.address() != nullptr);
    std::vector<int64_t> got(at.size());
    if (!at.empty()) {
      REQUIRE_ACL(ACL(aclrtMemcpy)(got.data(), given.size_bytes(), given.address(),
                                   given.size_bytes(), ACL_MEMCPY_DEVICE_TO_HOST));
    }
    CHECK(got == at);
  }
}

// Memory of the caller's is used where it is large enough; where it is not the execution fails,
// and says what it needs.
TEST_CASE("Outputs of dynamic shape go to given buffers") {
  const AclSession session;
  const LinearRun run;
  REQUIRE_ACL(Describe(run.input, {2, 3}));
  REQUIRE_ACL(ACL(aclmdlExecute)(run.model.id(), run.input.get(), run.output.get()));
  CHECK(ReadFloats(run.y.get(), 256) == LinearAnswer(Rows(2, 1)));
  CHECK(DescribedDims(run.output) == std::vector<int64_t>{2, 128});
  const TestDataset small({{run.y.get(), 2 * 128 * sizeof(float) - 1}});
  CHECK(ACL(aclmdlExecute)(run.model.id(), run.input.get(), small.get()) ==
        ACL_ERROR_GE_PARAM_INVALID);
  CHECK_THAT(RecentError(), Catch::Contains("has 1023 bytes, what came out needs 1024"));
  CHECK(ACL(aclmdlGetDatasetTensorDesc)(small.get(), 0) == nullptr);
  const DeviceBytes few(64);
  const TestDataset lying({{few.get(), 4096}});
  CHECK(ACL(aclmdlExecute)(run.model.id(), run.input.get(), lying.get()) ==
        ACL_ERROR_RT_AICORE_EXCEPTION);
}

// In a stream the dims are those of the launch, and the output's description comes with the task; a
// dataset that was destroyed meanwhile gets none.
TEST_CASE("A dynamic shape runs in streams") {
  const AclSession session;
  const TestStream stream;
  const LinearRun run;
  const TestDataset later({EntryOf(run.y)});
  REQUIRE_ACL(Describe(run.input, {2, 3}));
  {
    const StreamGate gate(stream.get());
    REQUIRE_ACL(
        ACL(aclmdlExecuteAsync)(run.model.id(), run.input.get(), run.output.get(), stream.get()));
    REQUIRE_ACL(Describe(run.input, {4, 3}));
    REQUIRE_ACL(
        ACL(aclmdlExecuteAsync)(run.model.id(), run.input.get(), later.get(), stream.get()));
    {
      const TestDataset gone({EntryOf(run.y)});
      REQUIRE_ACL(
          ACL(aclmdlExecuteAsync)(run.model.id(), run.input.get(), gone.get(), stream.get()));
    }
    CHECK(DescribedDims(run.output).empty());
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(DescribedDims(run.output) == std::vector<int64_t>{2, 128});
  CHECK(DescribedDims(later) == std::vector<int64_t>{4, 128});
  CHECK(ReadFloats(run.y.get(), 512) == LinearAnswer(Rows(4, 1)));
  const TestDataset no_memory({{nullptr, 0}});
  CHECK(ACL(aclmdlExecuteAsync)(run.model.id(), run.input.get(), no_memory.get(), stream.get()) ==
        ACL_ERROR_GE_PARAM_INVALID);
  const TestDataset small({{run.y.get(), 16}});
  REQUIRE_ACL(ACL(aclmdlExecuteAsync)(run.model.id(), run.input.get(), small.get(), stream.get()));
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_ERROR_GE_PARAM_INVALID);
}

// Dims that nobody gave, or that are not in the range, are refused at the call with what may be;
// type and format of a description do not count.
TEST_CASE("Dims outside the range are refused") {
  const AclSession session;
  const LinearRun run;
  const auto execute = [&] {
    return ACL(aclmdlExecute)(run.model.id(), run.input.get(), run.output.get());
  };
  CHECK(execute() == ACL_ERROR_GE_PARAM_INVALID);
  CHECK_THAT(RecentError(), Catch::Contains("aclmdlSetDatasetTensorDesc"));
  for (const std::vector<int64_t>& dims :
       {std::vector<int64_t>{9, 3}, {0, 3}, {-1, 3}, {2, 4}, {2}, {2, 3, 1}}) {
    REQUIRE_ACL(Describe(run.input, dims));
    CHECK(execute() == ACL_ERROR_GE_SHAPE_INVALID);
    CHECK_THAT(RecentError(), Catch::Contains("compiled for x [1~8,3]"));
  }
  const std::array<int64_t, 2> dims{2, 3};
  aclTensorDesc* const other = ACL(aclCreateTensorDesc)(ACL_INT8, 2, dims.data(), ACL_FORMAT_NCHW);
  REQUIRE_ACL(ACL(aclmdlSetDatasetTensorDesc)(run.input.get(), other, 0));
  ACL(aclDestroyTensorDesc)(other);
  CHECK(execute() == ACL_SUCCESS);
  const TestDataset none({});
  CHECK(ACL(aclmdlExecute)(run.model.id(), none.get(), run.output.get()) == ACL_ERROR_GE_FAILURE);
  CHECK(ACL(aclmdlExecute)(run.model.id(), run.input.get(), none.get()) == ACL_ERROR_GE_FAILURE);
}

// A model has gears or takes descriptions, and a dataset serves one of the two.
TEST_CASE("Gears and descriptions exclude each other") {
  const AclSession session;
  const LinearRun run;
  CHECK(ACL(aclmdlSetDynamicBatchSize)(run.model.id(), run.input.get(), 0, 2) ==
        ACL_ERROR_INVALID_PARAM);
  CHECK_THAT(RecentError(), Catch::Contains("aclmdlSetDatasetTensorDesc"));
  LoadedModel batch(BatchLinearModel());
  const DeviceBytes gear(8);
  const TestDataset geared({EntryOf(run.x), EntryOf(gear)});
  const TestDataset described({EntryOf(run.x), EntryOf(gear)});
  REQUIRE_ACL(ACL(aclmdlSetDynamicBatchSize)(batch.id(), geared.get(), 1, 2));
  CHECK(Describe(geared, {2, 3}) == ACL_ERROR_INVALID_PARAM);
  REQUIRE_ACL(Describe(described, {2, 3}));
  CHECK(ACL(aclmdlSetDynamicBatchSize)(batch.id(), described.get(), 1, 2) ==
        ACL_ERROR_INVALID_PARAM);
}

// Two threads with a load and datasets each do not get in each other's way.
TEST_CASE("Threads run dynamic shapes with datasets of their own") {
  const AclSession session;
  aclrtContext context = nullptr;
  REQUIRE_ACL(ACL(aclrtGetCurrentContext)(&context));
  const LinearRun first;
  const LinearRun second;
  const auto work = [context](const LinearRun& run, size_t rows) {
    ACL(aclrtSetCurrentContext)(context);
    size_t failures = 0;
    for (int i = 0; i < 20; ++i) {
      const size_t now = rows + static_cast<size_t>(i % 4);
      const std::array<int64_t, 2> dims{static_cast<int64_t>(now), 3};
      aclTensorDesc* const desc =
          ACL(aclCreateTensorDesc)(ACL_FLOAT, 2, dims.data(), ACL_FORMAT_ND);
      failures += ACL(aclmdlSetDatasetTensorDesc)(run.input.get(), desc, 0) != ACL_SUCCESS;
      ACL(aclDestroyTensorDesc)(desc);
      failures +=
          ACL(aclmdlExecute)(run.model.id(), run.input.get(), run.output.get()) != ACL_SUCCESS;
      int64_t got = 0;
      ACL(aclGetTensorDescDimV2)
      (ACL(aclmdlGetDatasetTensorDesc)(run.output.get(), 0), 0, &got);
      failures += got != dims[0];
    }
    return failures;
  };
  size_t other_failures = 0;
  {
    const std::jthread other([&] { other_failures = work(second, 5); });
    CHECK(work(first, 1) == 0);
  }
  CHECK(other_failures == 0);
}

// Strict mode follows a dynamic execution: it reads its input and writes its output, and a copy
// that nothing orders behind it is reported.
TEST_CASE("Strict mode sees what a dynamic execution touches") {
  const ViolationReport report;
  const AclSession session(report.Settings());
  const TestStream compute;
  const TestStream other;
  const LinearRun run;
  const TestDataset output({{nullptr, 0}});
  REQUIRE_ACL(Describe(run.input, {2, 3}));
  {
    REQUIRE_ACL(ACL(aclmdlExecute)(run.model.id(), run.input.get(), output.get()));
    const GivenOutput given(output);
    CHECK(ReadFloats(given.address(), 256) == LinearAnswer(Rows(2, 1)));
  }
  CHECK(report.Read().empty());
  REQUIRE_ACL(
      ACL(aclmdlExecuteAsync)(run.model.id(), run.input.get(), run.output.get(), compute.get()));
  REQUIRE_ACL(ACL(aclrtMemsetAsync)(run.y.get(), 16, 0, 16, other.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeDevice)());
  const std::vector<Reported> all = report.Read();
  REQUIRE(all.size() == 1);
  CHECK(all[0].violation == "unordered_access");
  CHECK_THAT(all[0].text, Catch::Contains("execute of model 'linear_dynamic'"));
}

}  // namespace
}  // namespace omserve::hostacl
