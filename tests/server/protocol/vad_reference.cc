// SPDX-License-Identifier: Apache-2.0
#include "tests/server/protocol/vad_reference.h"

#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "tests/ort_api.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using testing::Ort;
using testing::RequireOrt;

using Value = std::unique_ptr<OrtValue, void (*)(OrtValue*)>;

template <typename T>
Value Wrap(const OrtMemoryInfo* memory, std::vector<T>& data, const std::vector<int64_t>& dims,
           ONNXTensorElementDataType type) {
  OrtValue* value = nullptr;
  RequireOrt(Ort().CreateTensorWithDataAsOrtValue(memory, data.data(), data.size() * sizeof(T),
                                                  dims.data(), dims.size(), type, &value));
  return {value, Ort().ReleaseValue};
}

const float* FloatsOf(OrtValue* value) {
  void* data = nullptr;
  RequireOrt(Ort().GetTensorMutableData(value, &data));
  return static_cast<const float*>(data);
}

}  // namespace

struct VadReference::Session {
  OrtEnv* env = nullptr;
  OrtSessionOptions* options = nullptr;
  OrtSession* session = nullptr;
  OrtMemoryInfo* memory = nullptr;

  ~Session() {
    Ort().ReleaseMemoryInfo(memory);
    Ort().ReleaseSession(session);
    Ort().ReleaseSessionOptions(options);
    Ort().ReleaseEnv(env);
  }
};

VadReference::VadReference(const std::string& onnx_path) : session_(std::make_unique<Session>()) {
  RequireOrt(Ort().CreateEnv(ORT_LOGGING_LEVEL_ERROR, "vad", &session_->env));
  RequireOrt(Ort().CreateSessionOptions(&session_->options));
  RequireOrt(Ort().SetIntraOpNumThreads(session_->options, 1));
  RequireOrt(
      Ort().CreateSession(session_->env, onnx_path.c_str(), session_->options, &session_->session));
  RequireOrt(Ort().CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &session_->memory));
}

VadReference::~VadReference() = default;

float VadReference::Step(const std::vector<float>& window, std::vector<float>& state) {
  std::vector<float> samples = window;
  std::vector<int64_t> rate = {16000};
  const Value input =
      Wrap(session_->memory, samples, {1, kVadWindow}, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  const Value before =
      Wrap(session_->memory, state, {2, 1, 128}, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  const Value sr = Wrap(session_->memory, rate, {}, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64);
  const std::array<const char*, 3> input_names = {"input", "state", "sr"};
  const std::array<const OrtValue*, 3> inputs = {input.get(), before.get(), sr.get()};
  const std::array<const char*, 2> output_names = {"output", "stateN"};
  std::array<OrtValue*, 2> outputs = {nullptr, nullptr};
  RequireOrt(Ort().Run(session_->session, nullptr, input_names.data(), inputs.data(), inputs.size(),
                       output_names.data(), outputs.size(), outputs.data()));
  const Value probability(outputs[0], Ort().ReleaseValue);
  const Value after(outputs[1], Ort().ReleaseValue);
  const float* next = FloatsOf(after.get());
  state.assign(next, next + kVadState);
  return *FloatsOf(probability.get());
}

std::vector<std::vector<float>> MakeSpeech(uint64_t seed, int windows) {
  constexpr double kRate = 16000;
  constexpr double kTwoPi = 6.283185307179586;
  std::mt19937_64 random(seed);
  const auto uniform = [&random](double low, double high) {
    return low + (high - low) * static_cast<double>(random() >> 11) / 9007199254740992.0;
  };
  std::vector<std::vector<float>> speech;
  double pitch = uniform(90, 240);
  double phase = 0;
  bool voiced = false;
  int left = 0;  // Windows until it changes.
  std::array<double, 12> formants{};
  for (int w = 0; w < windows; ++w) {
    if (left-- == 0) {
      voiced = !voiced;
      left = static_cast<int>(uniform(3, 9));
      for (double& formant : formants) {
        formant = uniform(0.05, 1);
      }
    }
    std::vector<float>& window = speech.emplace_back();
    for (int i = 0; i < kVadWindow; ++i) {
      double sample = uniform(-1, 1) * 0.002;
      if (voiced) {
        phase += kTwoPi * pitch / kRate;
        pitch += uniform(-0.02, 0.02);
        for (size_t h = 0; h < formants.size(); ++h) {
          sample += 0.05 * formants[h] * std::sin(static_cast<double>(h + 1) * phase);
        }
      }
      window.push_back(static_cast<float>(sample));
    }
  }
  return speech;
}

}  // namespace omserve::server
