// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/hostacl/ort_reference.h"

#include <catch2/catch.hpp>
#include <memory>

#include "tests/ort_api.h"
#include "tests/runtime/hostacl/model_files.h"
#include "tests/status_test_util.h"

namespace omserve::hostacl {
namespace {

using testing::Ort;
using testing::RequireOrt;

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

}  // namespace

std::vector<float> RunOnnxFile(const std::string& path, const std::vector<int64_t>& dims,
                               std::vector<float> input) {
  const OrtApi& api = Ort();
  OrtEnv* env = nullptr;
  RequireOrt(api.CreateEnv(ORT_LOGGING_LEVEL_ERROR, "reference", &env));
  const Owned<OrtEnv> env_owner(env, api.ReleaseEnv);
  OrtSessionOptions* options = nullptr;
  RequireOrt(api.CreateSessionOptions(&options));
  const Owned<OrtSessionOptions> options_owner(options, api.ReleaseSessionOptions);
  RequireOrt(api.SetIntraOpNumThreads(options, 1));
  OrtSession* session = nullptr;
  RequireOrt(api.CreateSession(env, path.c_str(), options, &session));
  const Owned<OrtSession> session_owner(session, api.ReleaseSession);
  OrtAllocator* allocator = nullptr;
  RequireOrt(api.GetAllocatorWithDefaultOptions(&allocator));
  char* input_name = nullptr;
  char* output_name = nullptr;
  RequireOrt(api.SessionGetInputName(session, 0, allocator, &input_name));
  RequireOrt(api.SessionGetOutputName(session, 0, allocator, &output_name));
  OrtMemoryInfo* memory = nullptr;
  RequireOrt(api.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory));
  const Owned<OrtMemoryInfo> memory_owner(memory, api.ReleaseMemoryInfo);
  OrtValue* value = nullptr;
  RequireOrt(api.CreateTensorWithDataAsOrtValue(memory, input.data(), input.size() * sizeof(float),
                                                dims.data(), dims.size(),
                                                ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &value));
  const Owned<OrtValue> value_owner(value, api.ReleaseValue);
  OrtValue* output = nullptr;
  const OrtValue* in = value;
  const char* in_name = input_name;
  const char* out_name = output_name;
  RequireOrt(api.Run(session, nullptr, &in_name, &in, 1, &out_name, 1, &output));
  const Owned<OrtValue> output_owner(output, api.ReleaseValue);
  OrtTensorTypeAndShapeInfo* shape = nullptr;
  RequireOrt(api.GetTensorTypeAndShape(output, &shape));
  const Owned<OrtTensorTypeAndShapeInfo> shape_owner(shape, api.ReleaseTensorTypeAndShapeInfo);
  size_t count = 0;
  RequireOrt(api.GetTensorShapeElementCount(shape, &count));
  void* data = nullptr;
  RequireOrt(api.GetTensorMutableData(output, &data));
  const auto* values = static_cast<const float*>(data);
  std::vector<float> result(values, values + count);
  RequireOrt(api.AllocatorFree(allocator, input_name));
  RequireOrt(api.AllocatorFree(allocator, output_name));
  return result;
}

}  // namespace omserve::hostacl
