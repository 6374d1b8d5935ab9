// SPDX-License-Identifier: Apache-2.0
// What a configuration may not say, whatever its model looks like.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/config/config_test_util.h"

namespace omserve::config {
namespace {

std::string CheckError(const std::string& yaml) {
  const absl::Status status = ParseStatus(yaml);
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  return ErrorOf(status);
}

std::vector<std::string> Warnings(const std::string& yaml) {
  return Parsed(TextFormat::kYaml, yaml).warnings;
}

// A configuration that uses what is built has neither errors nor warnings.
TEST_CASE("a full configuration is accepted") {
  CHECK(Warnings(R"(
name: m
backend: ascend
max_batch_size: 16
input: [{name: x, data_type: TYPE_FP32, format: FORMAT_NCHW, dims: [3, -1, -1]}]
output: [{name: y, data_type: TYPE_FP32, dims: [10], label_filename: meta/labels.txt}]
version_policy: {specific: {versions: [1, 2]}}
instance_group: [{count: 2, gpus: [0, 1]}]
default_model_filename: resnet.om
dynamic_batching:
  preferred_batch_size: [8, 16]
  priority_levels: 2
  default_priority_level: 2
  default_queue_policy: {max_queue_size: 4}
)")
            .empty());
}

// The name is the folder's, and what runs here was compiled: no code of the model's own.
TEST_CASE("a foreign identity is refused") {
  CHECK(CheckError("name: other\n") ==
        "f:1:7: key 'name': got \"other\", but the model's folder is 'm'; rename one of them or "
        "leave the key out");
  CHECK(CheckError("backend: python\n") ==
        "f:1:10: key 'backend': expected \"ascend\", got \"python\"; leave the key out");
  CHECK(CheckError("platform: ensemble\n") ==
        "f:1:11: key 'platform': expected \"omserve_om\", got \"ensemble\"; leave the key out");
}

// Models of other runtimes can be compiled, and their configurations serve as they are.
TEST_CASE("the configuration of a model that was compiled since is taken") {
  const std::vector<std::string> warnings = Warnings(
      "platform: onnxruntime_onnx\nbackend: onnxruntime\ndefault_model_filename: model.onnx\n");
  REQUIRE(warnings.size() == 3);
  CHECK(warnings[0] ==
        "f:2:10: key 'backend': accepted and ignored: the compiled model is what runs, on "
        "\"ascend\"");
  CHECK(warnings[1] ==
        "f:1:11: key 'platform': accepted and ignored: the compiled model is what runs, on "
        "\"omserve_om\"");
  CHECK(warnings[2] ==
        "f:3:25: key 'default_model_filename': accepted and ignored: the compiled model is what "
        "runs, from 'model.om'");
}

// File names stay in the model's folder.
TEST_CASE("files outside the model's folder are refused") {
  for (const char* name : {"../m.om", "/etc/m.om", "a/b.om", "..", "."}) {
    CAPTURE(name);
    CHECK(CheckError(std::string("default_model_filename: ") + name + "\n")
              .find("expected the name of a file in the version's folder") != std::string::npos);
  }
  for (const char* name : {"../labels.txt", "/labels.txt", "a/../../labels.txt", "a/.."}) {
    CAPTURE(name);
    CHECK(CheckError(std::string("output: [{name: y, label_filename: ") + name + "}]\n")
              .find("key 'output[0].label_filename': expected a file in the model's folder") !=
          std::string::npos);
  }
}

// Sizes and versions have their ranges.
TEST_CASE("numbers out of range are refused") {
  CHECK(CheckError("max_batch_size: -1\n") ==
        "f:1:17: key 'max_batch_size': expected 0 or more, got -1; 0 means no batch dimension");
  CHECK(CheckError("version_policy: {latest: {num_versions: 0}}\n") ==
        "f:1:41: key 'version_policy.latest.num_versions': expected at least 1, got 0");
  CHECK(CheckError("version_policy: {specific: {}}\n") ==
        "f:1:18: key 'version_policy.specific': names no version; list at least one");
  CHECK(
      CheckError("version_policy: {specific: {versions: [1, 0]}}\n") ==
      "f:1:43: key 'version_policy.specific.versions[1]': expected a version of 1 or more, got 0");
  CHECK(CheckError("version_policy: {specific: {versions: [2, 2]}}\n") ==
        "f:1:43: key 'version_policy.specific.versions[1]': version 2 is listed twice");
}

// Tensors have names, each once, and dims of 1 or more or -1.
TEST_CASE("malformed tensors are refused") {
  CHECK(CheckError("input:\n  - data_type: TYPE_FP32\n") ==
        "f:2:5: key 'input[0].name': expected the tensor's name, got nothing");
  CHECK(CheckError("output:\n  - name: a\n  - name: a\n") ==
        "f:3:11: key 'output[1].name': \"a\" is already the name of another output");
  CHECK(CheckError("input:\n  - name: x\n    dims: [3, 0, -2]\n") ==
        "f:3:15: key 'input[0].dims[1]': expected 1 or more, or -1 for any size, got 0 in "
        "[3,0,-2]\n"
        "f:3:18: key 'input[0].dims[2]': expected 1 or more, or -1 for any size, got -2 in "
        "[3,0,-2]");
  CHECK(CheckError("input: [{name: x, format: FORMAT_NHWC, dims: [224, 224]}]\n") ==
        "f:1:27: key 'input[0].format': FORMAT_NHWC needs 3 dims, input 'x' has 2");
}

// What clients see and what the model has are one tensor.
TEST_CASE("a reshape of other elements is refused") {
  CHECK(Warnings("max_batch_size: 2\ninput: [{name: x, dims: [1], reshape: {shape: []}}]\n"
                 "output: [{name: y, dims: [2, -1, 6], reshape: {shape: [1, 2, -1, 3, 2]}}]\n")
            .empty());
  CHECK(
      CheckError("input:\n  - name: x\n    dims: [4]\n    reshape: {shape: [2, 3]}\n") ==
      "f:4:15: key 'input[0].reshape.shape': got [2,3] for dims [4], but dims have 4 elements and "
      "shape has 6; write as many in both");
  CHECK(CheckError("output: [{name: x, reshape: {shape: [2]}}]\n") ==
        "f:1:20: key 'output[0].reshape': expected dims beside it, those that clients see, got "
        "none; shape is what the model has, [2]");
  CHECK(CheckError("input: [{name: x, dims: [4], reshape: {shape: [0]}}]\n") ==
        "f:1:48: key 'input[0].reshape.shape[0]': expected 1 or more, or -1 for any size, got 0 in "
        "[0]");
}

// The same through a pbtxt, where a number may stand for an enum.
TEST_CASE("a data type that is no type is refused") {
  CHECK(ErrorOf(ParseModelConfig(TextFormat::kPbtxt, "input {\n  name: \"x\"\n  data_type: 99\n}\n",
                                 "f", "m")) ==
        "f:3:3: key 'input[0].data_type': 99 is no data type; write TYPE_FP32 or the like");
}

// Preferred sizes lie within max_batch_size where that is known.
TEST_CASE("preferred batch sizes beyond the maximum are refused") {
  CHECK(CheckError("max_batch_size: 8\ndynamic_batching:\n  preferred_batch_size: [4, 16, 0]\n") ==
        "f:3:29: key 'dynamic_batching.preferred_batch_size[1]': expected 1 to 8 (max_batch_size), "
        "got 16\n"
        "f:3:33: key 'dynamic_batching.preferred_batch_size[2]': expected 1 to 8 (max_batch_size), "
        "got 0");
  CHECK(Warnings("dynamic_batching: {preferred_batch_size: [4]}\n").empty());
}

// Priorities are 1 to priority_levels and exclude keeping the order.
TEST_CASE("contradicting priorities are refused") {
  CHECK(CheckError("dynamic_batching: {priority_levels: 2}\n") ==
        "f:1:1: key 'dynamic_batching.default_priority_level': expected 1 to 2 (priority_levels), "
        "got 0");
  CHECK(CheckError("dynamic_batching: {default_priority_level: 1}\n") ==
        "f:1:44: key 'dynamic_batching.default_priority_level': got 1, but there are no "
        "priorities; set priority_levels");
  CHECK(CheckError("dynamic_batching: {priority_levels: 2, default_priority_level: 1, "
                   "preserve_ordering: true}\n")
            .find("cannot hold with priority_levels 2; drop one of the two") != std::string::npos);
  CHECK(CheckError("dynamic_batching:\n  priority_levels: 1\n  default_priority_level: 1\n"
                   "  priority_queue_policy:\n    2: {}\n") ==
        "f:5:5: key 'dynamic_batching.priority_queue_policy[2]': expected a level from 1 to 1 "
        "(priority_levels)");
  CHECK(CheckError("dynamic_batching: {default_queue_policy: {timeout_action: DELAY}}\n") ==
        "f:1:59: key 'dynamic_batching.default_queue_policy.timeout_action': DELAY needs "
        "default_timeout_microseconds: without one nothing is ever delayed");
  CHECK(
      Warnings("dynamic_batching:\n  priority_levels: 2\n  default_priority_level: 1\n"
               "  default_queue_policy: {timeout_action: DELAY, default_timeout_microseconds: 5}\n"
               "  priority_queue_policy:\n    2: {max_queue_size: 4, timeout_action: REJECT}\n")
          .empty());
}

// A length has an input; its dims are those of one row, and none is two lengths.
TEST_CASE("contradicting paddings are refused") {
  const auto error_has = [](const std::string& yaml, const std::string& text) {
    CAPTURE(yaml);
    CHECK(CheckError(yaml).find(text) != std::string::npos);
  };
  error_has("padding: [{output: [{name: y}]}]\n", "expected at least one input, got none");
  error_has("padding: [{input: [{dim: 1}]}]\n", "expected the tensor's name, got nothing");
  error_has("padding: [{input: [{name: x, dim: -1}]}]\n",
            "expected 0 or more, got -1; the batch dimension does not count");
  error_has("padding: [{input: [{name: x}]}, {input: [{name: x}]}]\n",
            "dim 0 of 'x' is listed twice");
  CHECK(Warnings("padding: [{input: [{name: x}, {name: x, dim: 1}], output: [{name: x}]}]\n")
            .empty());
}

// Instances are counted and placed on devices that can exist.
TEST_CASE("malformed instance groups are refused") {
  CHECK(CheckError("instance_group: [{count: -1}]\n") ==
        "f:1:26: key 'instance_group[0].count': expected 1 or more (0 means 1), got -1");
  CHECK(CheckError("instance_group: [{gpus: [-1]}]\n")
            .find("expected device ids of 0 or more, got -1") != std::string::npos);
  CHECK(CheckError("instance_group: [{gpus: [1, 1]}]\n").find("device 1 is listed twice") !=
        std::string::npos);
}

// Whatever would change answers and is not followed is refused as such, with the place, the reason
// and what to do instead.
TEST_CASE("what is not followed is refused") {
  const std::pair<const char*, const char*> refused[] = {
      {"batch_input: [{kind: BATCH_ITEM_SHAPE}]", "rows of a batch have one size"},
      {"batch_output: [{}]", "export the model with a batch dimension"},
      {"model_repository_agents: {agents: [{name: checksum}]}", "check or unpack them when"},
      {"input: [{name: x, is_shape_tensor: true}]", "compile a gear for each size"},
      {"input: [{name: x, allow_ragged_batch: true}]", "in batches of their own"},
      {"output: [{name: x, is_shape_tensor: true}]", "compile a gear for each size"},
      {"instance_group: [{passive: true}]", "remove the group"},
  };
  for (const auto& [text, instead] : refused) {
    CAPTURE(text);
    const absl::Status status = ParseStatus(text);
    CHECK(status.code() == absl::StatusCode::kUnimplemented);
    CHECK(ErrorOf(status).find(": not supported: ") != std::string::npos);
    CHECK(ErrorOf(status).find(instead) != std::string::npos);
  }
  CHECK(ErrorOf(ParseStatus("input:\n  - name: x\n    is_shape_tensor: true\n")) ==
        "f:3:22: key 'input[0].is_shape_tensor': not supported: a compiled model has fixed sizes "
        "and takes none from a tensor's values; compile a gear for each size that is needed, and "
        "remove the key");
}

// What keeps one answer, or an order of answers, cannot stand beside many; and rows cannot be left
// unanswered where a client waits for one answer.
TEST_CASE("decoupled models") {
  CHECK(
      Warnings("model_transaction_policy: {decoupled: true, answer_rows_where: passes}\n").empty());
  CHECK(ErrorOf(ParseStatus("response_cache: {enable: true}\n"
                            "model_transaction_policy: {decoupled: true}\n"))
            .find("f:1:26: key 'response_cache.enable': cannot stand beside "
                  "model_transaction_policy.decoupled") != std::string::npos);
  CHECK(ErrorOf(ParseStatus("max_batch_size: 2\ndynamic_batching: {preserve_ordering: true}\n"
                            "model_transaction_policy: {decoupled: true}\n"))
            .find("f:2:39: key 'dynamic_batching.preserve_ordering': cannot stand beside") !=
        std::string::npos);
  CHECK(ErrorOf(ParseStatus("model_transaction_policy: {answer_rows_where: passes}\n"))
            .find("f:1:47: key 'model_transaction_policy.answer_rows_where': needs decoupled: "
                  "true") != std::string::npos);
}

// An answer that depends on earlier requests cannot be kept for later ones.
TEST_CASE("answers of models with sequences are not kept") {
  CHECK(Warnings("response_cache: {enable: true}\n").empty());
  CHECK(ErrorOf(ParseStatus("max_batch_size: 2\nresponse_cache: {enable: true}\n"
                            "sequence_batching: {}\n"))
            .find("f:2:26: key 'response_cache.enable': cannot stand beside sequence_batching") !=
        std::string::npos);
}

// The same settings switched off are no obstacle.
TEST_CASE("what is not followed may be switched off") {
  CHECK(Warnings("response_cache: {enable: false}\nmodel_transaction_policy: {decoupled: false}\n")
            .empty());
}

// What only tunes a GPU or another framework is accepted with one warning each.
TEST_CASE("foreign tuning is accepted with a warning") {
  const char* texts[] = {
      "optimization: {graph: {level: 1}}",
      "optimization: {cuda: {graphs: true}}",
      "optimization: {execution_accelerators: {}}",
      "optimization: {input_pinned_memory: {enable: true}}",
      "optimization: {output_pinned_memory: {enable: true}}",
      "optimization: {gather_kernel_buffer_threshold: 4}",
      "optimization: {eager_batching: true}",
      "optimization: {priority: PRIORITY_MAX}",
      "instance_group: [{kind: KIND_GPU}]",
      "instance_group: [{kind: KIND_CPU}]",
      "instance_group: [{profile: [a]}]",
      "instance_group: [{host_policy: numa}]",
      "instance_group: [{rate_limiter: {priority: 1}}]",  // Without resources.
      "instance_group: [{secondary_devices: [{}]}]",
      "input: [{name: x, is_non_linear_format_io: true}]",
      "output: [{name: x, is_non_linear_format_io: true}]",
      "cc_model_filenames: {\"7.5\": a.plan}",
      "model_operations: {op_library_filename: [a.so]}",
      "runtime: x",
      "max_batch_size: 1\ndynamic_batching: {}",
  };
  for (const char* text : texts) {
    CAPTURE(text);
    const std::vector<std::string> warnings = Warnings(text);
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].find("accepted and ignored: ") != std::string::npos);
  }
  CHECK(Warnings("optimization:\n  eager_batching: true\n")[0] ==
        "f:2:19: key 'optimization.eager_batching': accepted and ignored: the copies of a "
        "batch overlap the execution of the one before");
}

// Tags become labels, beside those that samples have; bounds of a histogram grow.
TEST_CASE("metrics of a model are checked") {
  CHECK(Warnings("metric_tags: {team: vision, cost_center: \"7\"}").empty());
  CHECK(Warnings("model_metrics: {metric_control: [{metric_identifier: {family: "
                 "nv_inference_first_response_histogram_ms}, histogram_options: {buckets: [10, "
                 "20.5]}}]}")
            .empty());
  CHECK(Warnings("model_metrics: {metric_control: [{}]}").size() == 1);
  for (const char* tag : {"1a", "a-b", "__a", "model", "le"}) {
    CAPTURE(tag);
    CHECK(CheckError("metric_tags: {\"" + std::string(tag) + "\": x}").find("metric_tags[") !=
          std::string::npos);
  }
  for (const char* buckets : {"[1, 1]", "[2, 1]", "[0, 1]", "[-1]"}) {
    CAPTURE(buckets);
    CHECK(CheckError("model_metrics: {metric_control: [{metric_identifier: {family: "
                     "nv_inference_first_response_histogram_ms}, histogram_options: {buckets: " +
                     std::string(buckets) + "}}]}")
              .find("expected bounds above 0 that grow") != std::string::npos);
  }
}

// What instances share is named once in a group, and in the same sense in all groups.
TEST_CASE("a rate limiter that cannot be is refused") {
  CHECK(CheckError("instance_group: [{rate_limiter: {resources: [{count: 2}]}}]\n") ==
        "f:1:46: key 'instance_group[0].rate_limiter.resources[0].name': expected the resource's "
        "name, got nothing");
  CHECK(CheckError("instance_group: [{rate_limiter: {resources: [{name: r}, {name: r}]}}]\n") ==
        "f:1:64: key 'instance_group[0].rate_limiter.resources[1].name': \"r\" is listed twice");
  CHECK(
      CheckError("instance_group:\n"
                 "- rate_limiter: {resources: [{name: r}]}\n"
                 "- rate_limiter: {resources: [{name: r, global: true}]}\n") ==
      "f:3:48: key 'instance_group[1].rate_limiter.resources[0].global': resource \"r\" is global "
      "in one group and of each device in another");
  CHECK(Warnings("instance_group:\n"
                 "- rate_limiter: {priority: 2, resources: [{name: r, count: 2}, {name: s}]}\n"
                 "- rate_limiter: {resources: [{name: r}]}\n")
            .empty());
}

}  // namespace
}  // namespace omserve::config
