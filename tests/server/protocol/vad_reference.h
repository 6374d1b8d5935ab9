// SPDX-License-Identifier: Apache-2.0
// Silero VAD run by ONNX Runtime directly, its state in the caller's hands: what the server's
// answers are compared with. And speech-like sound to run it on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace omserve::server {

inline constexpr int kVadWindow = 512;  // Samples, at 16 kHz.
inline constexpr int kVadState = 2 * 1 * 128;

class VadReference final {
 public:
  explicit VadReference(const std::string& onnx_path);
  ~VadReference();
  // The probability of speech in one window; `state` becomes that after it.
  float Step(const std::vector<float>& window, std::vector<float>& state);

 private:
  struct Session;
  std::unique_ptr<Session> session_;
};

// `windows` windows of a voice of its own for each `seed`: vowels of harmonics that come and go,
// and pauses with a little noise.
std::vector<std::vector<float>> MakeSpeech(uint64_t seed, int windows);

}  // namespace omserve::server
