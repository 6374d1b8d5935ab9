// SPDX-License-Identifier: Apache-2.0
// 1.9: what came later for models: executions with a configuration, bundles, attributes, ranges.
#include "tests/runtime/hostacl/contract/model_run.h"

namespace omserve::hostacl {
namespace {

// A configuration of executions for the time of a case.
class ExecConfig final {
 public:
  ExecConfig() : config_(ACL(aclmdlCreateExecConfigHandle)()) { REQUIRE(config_ != nullptr); }
  ~ExecConfig() { ACL(aclmdlDestroyExecConfigHandle)(config_); }
  ExecConfig(const ExecConfig&) = delete;
  ExecConfig& operator=(const ExecConfig&) = delete;
  aclError SetTimeout(int32_t ms) const {
    return ACL(aclmdlSetExecConfigOpt)(config_, ACL_MDL_STREAM_SYNC_TIMEOUT, &ms, sizeof(ms));
  }
  const aclmdlExecConfigHandle* get() const { return config_; }
  aclmdlExecConfigHandle* mutable_get() const { return config_; }

 private:
  aclmdlExecConfigHandle* config_;
};

TEST_CASE("Executions can be configured",
          "[1.9/aclmdlCreateExecConfigHandle][1.9/aclmdlDestroyExecConfigHandle]"
          "[1.9/aclmdlSetExecConfigOpt]") {
  const AclSession session;
  const ExecConfig config;
  CHECK(config.SetTimeout(1000) == ACL_SUCCESS);
  CHECK(config.SetTimeout(-1) == ACL_SUCCESS);
  CHECK(ACL(aclmdlSetExecConfigOpt)(config.mutable_get(), ACL_MDL_STREAM_SYNC_TIMEOUT, nullptr,
                                    sizeof(int32_t)) != ACL_SUCCESS);
  const uint8_t small = 1;
  CHECK(ACL(aclmdlSetExecConfigOpt)(config.mutable_get(), ACL_MDL_STREAM_SYNC_TIMEOUT, &small,
                                    sizeof(small)) != ACL_SUCCESS);
  CHECK(ACL(aclmdlDestroyExecConfigHandle)(nullptr) != ACL_SUCCESS);
}

// On the caller's stream, and done when it returns.
TEST_CASE("A model executes on a given stream at once",
          "[1.9/aclmdlExecuteV2][needs aclmdlCreateExecConfigHandle]"
          "[needs aclmdlDestroyExecConfigHandle][needs aclmdlSetExecConfigOpt][needs models]") {
  const AclSession session;
  const TestStream stream;
  const ModelRun run(StaticLinearModel());
  const ExecConfig config;
  REQUIRE_ACL(config.SetTimeout(10000));
  run.Write(LinearRows(2));
  REQUIRE_ACL(
      ACL(aclmdlExecuteV2)(run.id(), run.input(), run.output(), stream.get(), config.get()));
  CheckNear(run.Read(2 * 128), LinearAnswer(LinearRows(2)));
}

// Behind something that does not end its time runs out; the stream goes on all the same.
TEST_CASE("An execution on a given stream can expire",
          "[1.9/aclmdlExecuteV2][needs aclmdlCreateExecConfigHandle]"
          "[needs aclmdlDestroyExecConfigHandle][needs aclmdlSetExecConfigOpt][needs models]") {
  const AclSession session;
  const TestStream stream;
  const ModelRun run(StaticLinearModel());
  const ExecConfig config;
  REQUIRE_ACL(config.SetTimeout(1));
  {
    const StreamGate gate(stream.get());
    CHECK(ACL(aclmdlExecuteV2)(run.id(), run.input(), run.output(), stream.get(), config.get()) !=
          ACL_SUCCESS);
  }
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_SUCCESS);
}

TEST_CASE("A model is launched on a given stream with a configuration",
          "[1.9/aclmdlExecuteAsyncV2][needs aclmdlCreateExecConfigHandle]"
          "[needs aclmdlDestroyExecConfigHandle][needs models]") {
  const AclSession session;
  const TestStream stream;
  const ModelRun run(StaticLinearModel());
  const ExecConfig config;
  run.Write(LinearRows(2));
  REQUIRE_ACL(
      ACL(aclmdlExecuteAsyncV2)(run.id(), run.input(), run.output(), stream.get(), config.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CheckNear(run.Read(2 * 128), LinearAnswer(LinearRows(2)));
}

TEST_CASE("A loaded model takes another priority", "[1.9/aclmdlSetAttribute][needs models]") {
  const AclSession session;
  const LoadedModel model(StaticLinearModel());
  aclmdlAttrValue_t value{};
  value.mdlPriority = 7;
  CheckDoneOrUnsupported(ACL(aclmdlSetAttribute)(model.id(), ACL_MDL_ATTR_PRIORITY_INT32, &value));
  CHECK(ACL(aclmdlSetAttribute)(4711, ACL_MDL_ATTR_PRIORITY_INT32, &value) != ACL_SUCCESS);
  CHECK(ACL(aclmdlSetAttribute)(model.id(), ACL_MDL_ATTR_PRIORITY_INT32, nullptr) != ACL_SUCCESS);
}

// Of a model with fixed dims there is nothing to range over: no range, or one of a single size.
TEST_CASE("Fixed dims have no range", "[1.9/aclmdlGetInputDimsRange][needs models]") {
  const AclSession session;
  LoadedModel model(StaticLinearModel());
  aclmdlIODimsRange range{};
  REQUIRE_ACL(ACL(aclmdlGetInputDimsRange)(model.desc(), 0, &range));
  const int64_t dims[] = {2, 3};
  REQUIRE((range.rangeCount == 0 || range.rangeCount == 2));
  for (size_t i = 0; i < range.rangeCount; ++i) {
    CHECK(range.range[i][0] == dims[i]);
    CHECK(range.range[i][1] == dims[i]);
  }
  CHECK(ACL(aclmdlGetInputDimsRange)(model.desc(), 7, &range) != ACL_SUCCESS);
  CHECK(ACL(aclmdlGetInputDimsRange)(model.desc(), 0, nullptr) != ACL_SUCCESS);
}

TEST_CASE("A range says what a dim may be", "[1.9/aclmdlGetInputDimsRange][needs models]") {
  const AclSession session;
  LoadedModel model(DynamicLinearModel());
  aclmdlIODims dims{};
  REQUIRE_ACL(ACL(aclmdlGetInputDims)(model.desc(), 0, &dims));
  REQUIRE(dims.dimCount == 2);
  CHECK(dims.dims[0] == -1);
  CHECK(dims.dims[1] == 3);
  aclmdlIODimsRange range{};
  REQUIRE_ACL(ACL(aclmdlGetInputDimsRange)(model.desc(), 0, &range));
  REQUIRE(range.rangeCount == 2);
  CHECK(range.range[0][0] == 1);
  CHECK(range.range[0][1] == 8);
  CHECK(range.range[1][0] == 3);
  CHECK(range.range[1][1] == 3);
}

// With a dynamic shape: within the range, and those of the output come back.
TEST_CASE("Dims are given with an execution",
          "[1.8/aclmdlSetDatasetTensorDesc][1.8/aclmdlGetDatasetTensorDesc][1.9/aclmdlExecute]"
          "[rule/null-outputs][needs models]") {
  const AclSession session;
  const LoadedModel model(DynamicLinearModel());
  const DeviceBytes x(LinearRows(9));
  const TestDataset input({EntryOf(x)});
  const TestDataset output({{nullptr, 0}});
  const auto execute = [&](int64_t rows) {
    const int64_t dims[] = {rows, 3};
    aclTensorDesc* desc = ACL(aclCreateTensorDesc)(ACL_FLOAT, 2, dims, ACL_FORMAT_ND);
    const aclError described = ACL(aclmdlSetDatasetTensorDesc)(input.get(), desc, 0);
    ACL(aclDestroyTensorDesc)(desc);
    return described != ACL_SUCCESS ? described
                                    : ACL(aclmdlExecute)(model.id(), input.get(), output.get());
  };
  aclDataBuffer* buffer = ACL(aclmdlGetDatasetBuffer)(output.get(), 0);
  for (const int64_t rows : {int64_t{2}, int64_t{8}}) {
    REQUIRE_ACL(execute(rows));
    std::vector<float> y(static_cast<size_t>(rows) * 128);
    REQUIRE_ACL(ACL(aclrtMemcpy)(y.data(), y.size() * sizeof(float),
                                 ACL(aclGetDataBufferAddr)(buffer), y.size() * sizeof(float),
                                 ACL_MEMCPY_DEVICE_TO_HOST));
    CheckNear(y, LinearAnswer(LinearRows(static_cast<size_t>(rows))));
    const aclTensorDesc* desc = ACL(aclmdlGetDatasetTensorDesc)(output.get(), 0);
    REQUIRE(desc != nullptr);
    REQUIRE(ACL(aclGetTensorDescNumDims)(desc) == 2);
    int64_t dim = 0;
    REQUIRE_ACL(ACL(aclGetTensorDescDimV2)(desc, 0, &dim));
    CHECK(dim == rows);
    CHECK(ACL(aclrtFree)(ACL(aclGetDataBufferAddr)(buffer)) == ACL_SUCCESS);
    REQUIRE_ACL(ACL(aclUpdateDataBuffer)(buffer, nullptr, 0));
  }
  CHECK(execute(9) != ACL_SUCCESS);
}

TEST_CASE("External weights need a configuration and a name",
          "[1.9/aclmdlSetExternalWeightAddress]") {
  const AclSession session;
  const DeviceBytes weights(64);
  CHECK(ACL(aclmdlSetExternalWeightAddress)(nullptr, "weights.bin", weights.get(), 64) !=
        ACL_SUCCESS);
  aclmdlConfigHandle* config = ACL(aclmdlCreateConfigHandle)();
  CHECK(ACL(aclmdlSetExternalWeightAddress)(config, nullptr, weights.get(), 64) != ACL_SUCCESS);
  CHECK(ACL(aclmdlDestroyConfigHandle)(config) == ACL_SUCCESS);
}

// Tasks that never were have no operator to tell of.
TEST_CASE("Operators of unknown tasks are not described", "[1.9/aclmdlCreateAndGetOpDesc]") {
  const AclSession session;
  char name[256] = "";
  aclTensorDesc* inputs = nullptr;
  aclTensorDesc* outputs = nullptr;
  size_t input_count = 0;
  size_t output_count = 0;
  CHECK(ACL(aclmdlCreateAndGetOpDesc)(0, 4711, 4711, name, sizeof(name), &inputs, &input_count,
                                      &outputs, &output_count) != ACL_SUCCESS);
}

// A file with one model is no bundle, and there is nothing behind a number that was never given.
TEST_CASE("What is no bundle is refused",
          "[1.9/aclmdlBundleLoadFromFile][1.9/aclmdlBundleGetModelNum]"
          "[1.9/aclmdlBundleGetModelId][1.9/aclmdlBundleUnload][needs models]") {
  const AclSession session;
  const std::string path = WriteTextFile("single.om", StaticLinearModel());
  uint32_t id = 0;
  size_t count = 0;
  CHECK(ACL(aclmdlBundleLoadFromFile)("/no/such/bundle.om", &id) != ACL_SUCCESS);
  CHECK(ACL(aclmdlBundleLoadFromFile)(path.c_str(), &id) != ACL_SUCCESS);
  CHECK(ACL(aclmdlBundleGetModelNum)(4711, &count) != ACL_SUCCESS);
  CHECK(ACL(aclmdlBundleGetModelId)(4711, 0, &id) != ACL_SUCCESS);
  CHECK(ACL(aclmdlBundleUnload)(4711) != ACL_SUCCESS);
}

}  // namespace
}  // namespace omserve::hostacl
