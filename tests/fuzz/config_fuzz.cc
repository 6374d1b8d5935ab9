// SPDX-License-Identifier: Apache-2.0
// Any bytes as a configuration: they are bound, checked and completed, or refused, and nothing
// else. The first byte chooses the format; the rest is the text.
#include <cstddef>
#include <cstdint>
#include <string>

#include "config/model_config.h"
#include "config/server_config.h"
#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"

namespace omserve::config {
namespace {

ModelShape Shape() {
  return {.model_name = "m",
          .inputs = {{.name = "x", .type = DataType::kFp32, .dims = {-1, 3, 224, 224}}},
          .outputs = {{.name = "y", .type = DataType::kFp32, .dims = {8, 10}}},
          .has_batch = true,
          .batch_sizes = {1, 8}};
}

void TryModel(TextFormat format, const std::string& text) {
  auto loaded = ParseModelConfig(format, text, "f", "m");
  if (!loaded.ok()) {
    OMSERVE_CHECK(!MessageOf(loaded.status()).empty(), "an error has a text");
    return;
  }
  // What was accepted must survive the wire, which only takes UTF-8.
  inference::ModelConfig copy;
  OMSERVE_CHECK(copy.ParseFromString(loaded->config.SerializeAsString()),
                "an accepted configuration can be sent");
  if (IsPipeline(loaded->config)) {
    CompletePipelineConfig(*loaded, "m");
    OMSERVE_CHECK(loaded->config.pipeline().step_size() > 0, "a pipeline has steps");
  } else if (CompleteModelConfig(*loaded, Shape()).ok()) {
    OMSERVE_CHECK(loaded->config.max_batch_size() <= 8, "no batch beyond the compiled ones");
  }
}

void TryServer(const std::string& text) {
  const auto loaded = ParseServerConfig(text, "f");
  if (loaded.ok()) {
    const absl::Status valid = ValidateServerConfig(loaded->config, loaded->source);
    OMSERVE_CHECK(!valid.ok() || loaded->config.model_repository_size() > 0,
                  "a valid configuration has a repository");
  }
}

}  // namespace
}  // namespace omserve::config

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using omserve::config::TextFormat;
  if (size == 0) {
    return 0;
  }
  const std::string text(data + 1, data + size);
  switch (data[0] % 4) {
    case 0:
      omserve::config::TryModel(TextFormat::kYaml, text);
      break;
    case 1:
      omserve::config::TryModel(TextFormat::kPbtxt, text);
      break;
    case 2:
      omserve::config::TryModel(TextFormat::kJson, text);
      break;
    default:
      omserve::config::TryServer(text);
      break;
  }
  return 0;
}
