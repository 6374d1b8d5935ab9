// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/hostacl/ort_reference.h"

#include <onnxruntime_c_api.h>

#include <catch2/catch.hpp>
#include <memory>

#include "runtime/base/dynamic_library.h"
#include "tests/runtime/hostacl/model_files.h"
#include "tests/status_test_util.h"

namespace omserve::hostacl {
namespace {

const OrtApi& Api() {
  static const OrtApi* const api = [] {
    const std::string names[] = {kOrtLibrary};
    const DynamicLibrary library = TakeValue(DynamicLibrary::Open(names));
    const auto base = reinterpret_cast<const OrtApiBase* (*)()>(library.Find("OrtGetApiBase"));
    REQUIRE(base != nullptr);
    return base()->GetApi(18);
  }();
  REQUIRE(api != nullptr);
  return *api;
}

void Require(OrtStatus* status) {
  if (status != nullptr) {
    FAIL(Api().GetErrorMessage(status));
  }
}

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

}  // namespace

std::vector<float> RunOnnxFile(const std::string& path, const std::vector<int64_t>& dims,
                               std::vector<float> input) {
  const OrtApi& api = Api();
  OrtEnv* env = nullptr;
  Require(api.CreateEnv(ORT_LOGGING_LEVEL_ERROR, "reference", &env));
  const Owned<OrtEnv> env_owner(env, api.ReleaseEnv);
  OrtSessionOptions* options = nullptr;
  Require(api.CreateSessionOptions(&options));
  const Owned<OrtSessionOptions> options_owner(options, api.ReleaseSessionOptions);
  Require(api.SetIntraOpNumThreads(options, 1));
  OrtSession* session = nullptr;
  Require(api.CreateSession(env, path.c_str(), options, &session));
  const Owned<OrtSession> session_owner(session, api.ReleaseSession);
  OrtAllocator* allocator = nullptr;
  Require(api.GetAllocatorWithDefaultOptions(&allocator));
  char* input_name = nullptr;
  char* output_name = nullptr;
  Require(api.SessionGetInputName(session, 0, allocator, &input_name));
  Require(api.SessionGetOutputName(session, 0, allocator, &output_name));
  OrtMemoryInfo* memory = nullptr;
  Require(api.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory));
  const Owned<OrtMemoryInfo> memory_owner(memory, api.ReleaseMemoryInfo);
  OrtValue* value = nullptr;
  Require(api.CreateTensorWithDataAsOrtValue(memory, input.data(), input.size() * sizeof(float),
                                             dims.data(), dims.size(),
                                             ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &value));
  const Owned<OrtValue> value_owner(value, api.ReleaseValue);
  OrtValue* output = nullptr;
  const OrtValue* in = value;
  const char* in_name = input_name;
  const char* out_name = output_name;
  Require(api.Run(session, nullptr, &in_name, &in, 1, &out_name, 1, &output));
  const Owned<OrtValue> output_owner(output, api.ReleaseValue);
  OrtTensorTypeAndShapeInfo* shape = nullptr;
  Require(api.GetTensorTypeAndShape(output, &shape));
  const Owned<OrtTensorTypeAndShapeInfo> shape_owner(shape, api.ReleaseTensorTypeAndShapeInfo);
  size_t count = 0;
  Require(api.GetTensorShapeElementCount(shape, &count));
  void* data = nullptr;
  Require(api.GetTensorMutableData(output, &data));
  const auto* values = static_cast<const float*>(data);
  std::vector<float> result(values, values + count);
  Require(api.AllocatorFree(allocator, input_name));
  Require(api.AllocatorFree(allocator, output_name));
  return result;
}

}  // namespace omserve::hostacl
