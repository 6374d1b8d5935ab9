// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime itself, for tests that hold its answers against ours.
#pragma once

#include <onnxruntime_c_api.h>

#include <catch2/catch.hpp>

#include "runtime/base/dynamic_library.h"
#include "tests/status_test_util.h"

namespace omserve::testing {

inline const OrtApi& Ort() {
  static const OrtApi* const api = [] {
    const std::string names[] = {OMSERVE_BINARY_DIR "/lib/libonnxruntime.so.1"};
    const DynamicLibrary library = VALUE(DynamicLibrary::Open(names));
    const auto base = reinterpret_cast<const OrtApiBase* (*)()>(library.Find("OrtGetApiBase"));
    REQUIRE(base != nullptr);
    return base()->GetApi(18);
  }();
  REQUIRE(api != nullptr);
  return *api;
}

// Fails the test with what went wrong, if anything did.
inline void RequireOrt(OrtStatus* status) {
  if (status != nullptr) {
    FAIL(Ort().GetErrorMessage(status));
  }
}

}  // namespace omserve::testing
