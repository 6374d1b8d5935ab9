// SPDX-License-Identifier: Apache-2.0
// Execution with a configuration, and the options of loads and loaded models.
#include <memory>
#include <vector>

#include "tests/runtime/hostacl/model_files.h"

namespace omserve::hostacl {
namespace {

const std::vector<float>& TwoRows() {
  static const std::vector<float> rows{1, 2, 3, -0.5F, 0.25F, 4};
  return rows;
}

// An execution configuration for the time of a test.
class ExecOptions final {
 public:
  ExecOptions() : handle_(ACL(aclmdlCreateExecConfigHandle)()) { REQUIRE(handle_ != nullptr); }
  ~ExecOptions() { ACL(aclmdlDestroyExecConfigHandle)(handle_); }
  ExecOptions(const ExecOptions&) = delete;
  ExecOptions& operator=(const ExecOptions&) = delete;

  aclError Set(aclmdlExecConfigAttr attr, int32_t value) {
    return ACL(aclmdlSetExecConfigOpt)(handle_, attr, &value, sizeof(value));
  }
  aclmdlExecConfigHandle* get() const { return handle_; }

 private:
  aclmdlExecConfigHandle* const handle_;
};

// A synchronous execution on a stream takes its turn in it and leaves the answer.
TEST_CASE("A model executes on a given stream") {
  const AclSession session;
  const TestStream stream;
  const LoadedModel model(StaticLinearModel());
  const DeviceBytes x(TwoRows());
  const DeviceBytes y(2 * 128 * sizeof(float));
  const TestDataset input({EntryOf(x)});
  const TestDataset output({EntryOf(y)});
  ExecOptions options;
  REQUIRE_ACL(options.Set(ACL_MDL_STREAM_SYNC_TIMEOUT, 10000));
  REQUIRE_ACL(options.Set(ACL_MDL_EVENT_SYNC_TIMEOUT, -1));
  REQUIRE_ACL(
      ACL(aclmdlExecuteV2)(model.id(), input.get(), output.get(), stream.get(), options.get()));
  CHECK(y.Read<float>() == LinearAnswer(TwoRows()));

  REQUIRE_ACL(ACL(aclrtMemset)(y.get(), y.size_bytes(), 0, y.size_bytes()));
  REQUIRE_ACL(ACL(aclmdlExecuteAsyncV2)(model.id(), input.get(), output.get(), stream.get(),
                                        options.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(y.Read<float>() == LinearAnswer(TwoRows()));
}

// The execution returns at its timeout, the work goes on, and outputs that it allocated stay.
TEST_CASE("An execution on a stream has a timeout") {
  const AclSession session;
  const TestStream stream;
  const LoadedModel model(StaticLinearModel());
  const DeviceBytes x(TwoRows());
  const TestDataset input({EntryOf(x)});
  const TestDataset output({{nullptr, 0}});
  ExecOptions options;
  REQUIRE_ACL(options.Set(ACL_MDL_STREAM_SYNC_TIMEOUT, 5));
  {
    const StreamGate gate(stream.get());
    CHECK(ACL(aclmdlExecuteV2)(model.id(), input.get(), output.get(), stream.get(),
                               options.get()) == ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  aclDataBuffer* buffer = ACL(aclmdlGetDatasetBuffer)(output.get(), 0);
  void* address = ACL(aclGetDataBufferAddr)(buffer);
  std::vector<float> y(256);
  REQUIRE_ACL(ACL(aclrtMemcpy)(y.data(), 1024, address, 1024, ACL_MEMCPY_DEVICE_TO_HOST));
  CHECK(y == LinearAnswer(TwoRows()));
  REQUIRE_ACL(ACL(aclrtFree)(address));
}

// Timeouts are milliseconds or -1; work memory per call is for other chips.
TEST_CASE("An execution configuration refuses what it cannot hold") {
  const AclSession session;
  ExecOptions options;
  CHECK(options.Set(ACL_MDL_STREAM_SYNC_TIMEOUT, 0) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(options.Set(ACL_MDL_STREAM_SYNC_TIMEOUT, -2) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(options.Set(ACL_MDL_WORK_SIZET, 64) == ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  const int64_t wide = 5;
  CHECK(ACL(aclmdlSetExecConfigOpt)(options.get(), ACL_MDL_STREAM_SYNC_TIMEOUT, &wide,
                                    sizeof(wide)) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlSetExecConfigOpt)(nullptr, ACL_MDL_STREAM_SYNC_TIMEOUT, &wide, 4) ==
        ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlExecuteAsyncV2)(1, nullptr, nullptr, nullptr, nullptr) ==
        ACL_ERROR_INVALID_PARAM);
}

// The options of a load that tune a chip are taken; those that this device cannot follow are not.
TEST_CASE("A load configuration takes what tunes a chip") {
  const AclSession session;
  const std::string path = WriteTextFile("options.om", StaticLinearModel());
  aclmdlConfigHandle* config = ACL(aclmdlCreateConfigHandle)();
  const auto set = [&](aclmdlConfigAttr attr, const auto& value) {
    return ACL(aclmdlSetConfigOpt)(config, attr, &value, sizeof(value));
  };
  const char* file = path.c_str();
  const char* folder = "weight";
  REQUIRE_ACL(set(ACL_MDL_LOAD_TYPE_SIZET, size_t{ACL_MDL_LOAD_FROM_FILE}));
  REQUIRE_ACL(set(ACL_MDL_PATH_PTR, file));
  REQUIRE_ACL(set(ACL_MDL_WEIGHT_PATH_PTR, folder));
  REQUIRE_ACL(set(ACL_MDL_PRIORITY_INT32, int32_t{7}));
  REQUIRE_ACL(set(ACL_MDL_WORKSPACE_MEM_OPTIMIZE, size_t{1}));
  REQUIRE_ACL(set(ACL_MDL_MEM_MALLOC_POLICY_SIZET, size_t{ACL_MEM_MALLOC_HUGE_FIRST}));
  CHECK(set(ACL_MDL_PRIORITY_INT32, int32_t{8}) == ACL_ERROR_INVALID_PARAM);
  CHECK(set(ACL_MDL_PRIORITY_INT32, int64_t{1}) == ACL_ERROR_INVALID_PARAM);
  CHECK(set(ACL_MDL_KERNEL_SIZET, size_t{1}) == ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  const DeviceBytes weights(64);
  REQUIRE_ACL(ACL(aclmdlSetExternalWeightAddress)(config, "w.bin", weights.get(), 64));
  CHECK(ACL(aclmdlSetExternalWeightAddress)(config, "w.bin", weights.get(), 65) ==
        ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclmdlSetExternalWeightAddress)(config, "", weights.get(), 64) ==
        ACL_ERROR_INVALID_PARAM);
  uint32_t id = 0;
  REQUIRE_ACL(ACL(aclmdlLoadWithConfig)(config, &id));
  REQUIRE_ACL(ACL(aclmdlDestroyConfigHandle)(config));

  aclmdlAttrValue_t value{};
  value.mdlPriority = 5;
  REQUIRE_ACL(ACL(aclmdlSetAttribute)(id, ACL_MDL_ATTR_PRIORITY_INT32, &value));
  value.mdlPriority = 8;
  CHECK(ACL(aclmdlSetAttribute)(id, ACL_MDL_ATTR_PRIORITY_INT32, &value) ==
        ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlSetAttribute)(id, ACL_MDL_ATTR_PRIORITY_INT32, nullptr) ==
        ACL_ERROR_INVALID_PARAM);
  REQUIRE_ACL(ACL(aclmdlUnload)(id));
}

// A fixed dim may be what it is and nothing else; where gears decide there is no range.
TEST_CASE("A description tells the range of an input's dims") {
  const AclSession session;
  LoadedModel fixed(StaticLinearModel());
  const auto range = std::make_unique<aclmdlIODimsRange>();
  REQUIRE_ACL(ACL(aclmdlGetInputDimsRange)(fixed.desc(), 0, range.get()));
  REQUIRE(range->rangeCount == 2);
  CHECK(range->range[0][0] == 2);
  CHECK(range->range[0][1] == 2);
  CHECK(range->range[1][0] == 3);
  CHECK(range->range[1][1] == 3);
  LoadedModel gears(BatchLinearModel());
  REQUIRE_ACL(ACL(aclmdlGetInputDimsRange)(gears.desc(), 0, range.get()));
  CHECK(range->rangeCount == 0);
  CHECK(ACL(aclmdlGetInputDimsRange)(gears.desc(), 9, range.get()) == ACL_ERROR_INVALID_PARAM);
}

}  // namespace
}  // namespace omserve::hostacl
