// SPDX-License-Identifier: Apache-2.0
// JSON of inferences against Boost.JSON and the C library: on any bytes both accept or both refuse,
// and find the same.
//
// The first byte says what the rest is: a request's body, the raw bytes of a tensor to be written,
// or the data of a tensor, of the type that the byte says and the count that the next one says.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include "runtime/base/check.h"
#include "server/http/infer_json.h"
#include "tests/server/http/json_oracle.h"

namespace omserve::server {
namespace {

constexpr uint8_t kTypes = static_cast<uint8_t>(DataType::kBf16) + 1;

void Expect(const std::string& difference) {
  if (!difference.empty()) {
    std::fputs(difference.c_str(), stderr);
  }
  OMSERVE_CHECK(difference.empty(), "ours and the oracle's agree");
}

// What comes after the cut must cope with all of it.
void Prepare(std::string_view body, std::optional<size_t> header_bytes) {
  const absl::StatusOr<RestCall> rest =
      ParseInferBody(body, header_bytes, std::make_shared<const Model>(Model{.name = "m"}));
  if (!rest.ok()) {
    OMSERVE_CHECK(rest.status().code() == absl::StatusCode::kInvalidArgument ||
                      rest.status().code() == absl::StatusCode::kUnimplemented,
                  "a damaged request is the client's fault");
    return;
  }
  for (const InferInput& input : rest->call.inputs) {
    if (input.encode) {
      OMSERVE_CHECK(input.size_bytes() <= 8 * body.size() + 8, "memory is asked for by the text");
      std::string encoded(input.size_bytes(), '\0');
      input.encode(input, std::as_writable_bytes(std::span(encoded))).IgnoreError();
    }
  }
}

void Try(uint8_t choice, std::string_view rest) {
  const auto type = static_cast<DataType>(choice % kTypes);
  switch (choice / kTypes % 4) {
    case 0:
      Expect(CutDifference(rest));
      Prepare(rest, std::nullopt);
      Prepare(rest, rest.size() / 2);
      return;
    case 1:
      Expect(TextDifference(type, rest));
      return;
    default:
      if (!rest.empty()) {
        Expect(TensorDifference(rest.substr(1), type, static_cast<uint8_t>(rest.front())));
      }
  }
}

}  // namespace
}  // namespace omserve::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) {
    // A copy of its own, so that a read past its end is one past an allocation.
    const std::string rest(data + 1, data + size);
    omserve::server::Try(data[0], rest);
  }
  return 0;
}
