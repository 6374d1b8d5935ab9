// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <optional>
#include <set>
#include <utility>

#include "runtime/base/errors.h"
#include "tools/client/table.h"
#include "tools/omctl/commands.h"
#include "tools/omctl/tensor_text.h"

namespace omserve::omctl {
namespace {

namespace json = boost::json;

struct Assignment {
  std::optional<std::string> name;
  std::string value;
};

// "NAME=VALUE" when NAME is an input's; otherwise all of it is the value ("a=b?" is a question).
Assignment Split(const std::string& text, const std::vector<TensorSpec>& specs) {
  const size_t equals = text.find('=');
  if (equals != std::string::npos) {
    const std::string name = text.substr(0, equals);
    if (std::any_of(specs.begin(), specs.end(), [&](const auto& s) { return s.name == name; })) {
      return {name, text.substr(equals + 1)};
    }
  }
  return {std::nullopt, text};
}

// Collects the inputs of one request, each at most once.
class Inputs final {
 public:
  // Those in `optional` may be left out.
  Inputs(std::vector<TensorSpec> specs, std::set<std::string> optional)
      : specs_(std::move(specs)), optional_(std::move(optional)) {}

  // `hint`: part of the name of the input meant when none is given.
  absl::Status Add(const std::string& text, std::string_view hint, bool is_file) {
    Assignment given = Split(text, specs_);
    const TensorSpec* spec = given.name.has_value() ? Named(*given.name) : Guess(hint);
    if (spec == nullptr) {
      return InvalidArgument(
          "'{}': no free input takes it; the model's inputs are {}; write "
          "NAME=VALUE",
          text, Names());
    }
    if (Given(spec->name)) {
      return InvalidArgument("input '{}' is given twice", spec->name);
    }
    ASSIGN_OR_RETURN(client::Tensor tensor,
                     ParseTensor(*spec, is_file ? "@" + given.value : given.value));
    tensors_.push_back(std::move(tensor));
    return absl::OkStatus();
  }

  absl::Status CheckAllGiven() const {
    for (const TensorSpec& spec : specs_) {
      if (!Given(spec.name) && !optional_.contains(spec.name)) {
        return InvalidArgument(
            "input '{}' ({} {}) is not given; use --image, --text or --input "
            "{}=VALUE",
            spec.name, DataTypeName(spec.type), DimsToString(spec.dims), spec.name);
      }
    }
    return absl::OkStatus();
  }

  const std::vector<client::Tensor>& tensors() const { return tensors_; }

 private:
  bool Given(const std::string& name) const {
    return std::any_of(tensors_.begin(), tensors_.end(),
                       [&](const auto& tensor) { return tensor.name == name; });
  }
  const TensorSpec* Named(const std::string& name) const {
    const auto found = std::find_if(specs_.begin(), specs_.end(),
                                    [&](const auto& spec) { return spec.name == name; });
    return found == specs_.end() ? nullptr : &*found;
  }
  const TensorSpec* Guess(std::string_view hint) const {
    const TensorSpec* first_free = nullptr;
    for (const TensorSpec& spec : specs_) {
      if (spec.type != DataType::kBytes || Given(spec.name)) {
        continue;
      }
      if (spec.name.find(hint) != std::string::npos) {
        return &spec;
      }
      first_free = first_free == nullptr ? &spec : first_free;
    }
    return first_free;
  }
  std::string Names() const {
    std::string names;
    for (const TensorSpec& spec : specs_) {
      names += (names.empty() ? "'" : ", '") + spec.name + "'";
    }
    return names;
  }

  std::vector<TensorSpec> specs_;
  std::set<std::string> optional_;
  std::vector<client::Tensor> tensors_;
};

absl::StatusOr<std::vector<TensorSpec>> FetchInputs(client::GrpcClient& client,
                                                    const InferCommand& command) {
  inference::ModelMetadataRequest request;
  request.set_name(command.model);
  request.set_version(command.version);
  ASSIGN_OR_RETURN(const inference::ModelMetadataResponse metadata,
                   client.Call(&inference::GRPCInferenceService::Stub::ModelMetadata, request));
  std::vector<TensorSpec> specs;
  for (const auto& input : metadata.inputs()) {
    specs.push_back({input.name(), DataTypeFromName(input.datatype()),
                     Dims(input.shape().begin(), input.shape().end())});
  }
  return specs;
}

absl::StatusOr<inference::ModelConfig> FetchConfig(client::GrpcClient& client,
                                                   const InferCommand& command) {
  inference::ModelConfigRequest request;
  request.set_name(command.model);
  request.set_version(command.version);
  ASSIGN_OR_RETURN(inference::ModelConfigResponse response,
                   client.Call(&inference::GRPCInferenceService::Stub::ModelConfig, request));
  return std::move(*response.mutable_config());
}

absl::StatusOr<json::object> ToJson(const InferCommand& command,
                                    const client::InferResult& result) {
  json::object object{{"model", command.model},
                      {"version", result.model_version},
                      {"latency_ms", static_cast<double>(result.latency.count()) / 1e6}};
  json::array outputs;
  for (const client::Tensor& output : result.outputs) {
    ASSIGN_OR_RETURN(json::value data, TensorToJson(output));
    outputs.push_back(json::object{{"name", output.name},
                                   {"datatype", std::string(DataTypeName(output.type))},
                                   {"shape", json::array(output.dims.begin(), output.dims.end())},
                                   {"data", std::move(data)}});
  }
  object["outputs"] = std::move(outputs);
  if (!result.trace_json.empty()) {
    json::error_code error;
    object["trace"] = json::parse(result.trace_json, error);
  }
  if (!result.stages_json.empty()) {
    json::error_code error;
    object["stages"] = json::parse(result.stages_json, error);
  }
  return object;
}

// Steps in the order in which they started. Host and device clocks differ, so only durations show.
absl::Status PrintTrace(const std::string& trace_json) {
  json::error_code error;
  const json::value trace = json::parse(trace_json, error);
  if (error || !trace.is_array()) {
    return Internal("the server's trace is not a JSON array");
  }
  std::vector<std::vector<std::string>> rows = {
      {"STEP", "MODEL", "LANE", "STREAM", "ROWS", "GEAR", "LEFT", "MS"}};
  for (const json::value& value : trace.as_array()) {
    if (!value.is_object()) {
      return Internal("a step of the server's trace is no JSON object");
    }
    const json::object& step = value.get_object();
    const auto text = [&](const char* key) -> std::string {
      const json::value* found = step.if_contains(key);
      if (found == nullptr || (found->is_int64() && found->as_int64() < 0)) {
        return "-";
      }
      if (found->is_string()) {
        return found->as_string().empty() ? "-" : std::string(found->as_string().c_str());
      }
      return json::serialize(*found);
    };
    const auto us = [&](const char* key) {
      const json::value* found = step.if_contains(key);
      json::error_code bad;
      const auto number = found == nullptr ? 0 : found->to_number<int64_t>(bad);
      return bad ? 0 : number;
    };
    rows.push_back(
        {text("step"), text("model"), text("lane"), text("stream"), text("batch_rows"),
         text("gear_rows"), text("reason"),
         fmt::format("{:.3f}", static_cast<double>(us("end_us") - us("start_us")) / 1e3)});
  }
  fmt::print("\n{}", client::FormatTable(rows));
  return absl::OkStatus();
}

// Where the request's time in the server went: "server 2.31 ms: queue 0.02, ... ms".
void PrintStages(const std::string& stages_json) {
  json::error_code error;
  const json::value stages = json::parse(stages_json, error);
  if (error || !stages.is_object()) {
    return;
  }
  const auto ms = [&stages](const std::string& key) {
    const json::value* found = stages.as_object().if_contains(key + "_us");
    json::error_code bad;
    const double us = found == nullptr ? 0 : found->to_number<double>(bad);
    return bad ? 0 : us / 1e3;
  };
  fmt::print(
      "\nserver {:.3f} ms: queue {:.3f}, input {:.3f}, compute {:.3f}, output {:.3f}, overhead "
      "{:.3f}\n",
      ms("total"), ms("queue"), ms("input"), ms("compute"), ms("output"), ms("overhead"));
}

absl::Status Print(const CommonOptions& common, const InferCommand& command,
                   const client::InferResult& result, bool is_one_of_many) {
  if (common.json) {
    ASSIGN_OR_RETURN(json::object object, ToJson(command, result));
    if (is_one_of_many) {
      object["first_row"] = result.first_row;
    }
    fmt::print("{}\n", json::serialize(object));
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows = {{"OUTPUT", "TYPE", "SHAPE", "VALUE"}};
  for (const client::Tensor& output : result.outputs) {
    rows.push_back({output.name, std::string(DataTypeName(output.type)), DimsToString(output.dims),
                    TensorPreview(output, 6)});
  }
  fmt::print("{}{} version {}, {}{:.2f} ms\n", client::FormatTable(rows), command.model,
             result.model_version,
             is_one_of_many ? fmt::format("rows from {}, ", result.first_row) : "",
             static_cast<double>(result.latency.count()) / 1e6);
  if (!result.trace_json.empty()) {
    RETURN_IF_ERROR(PrintTrace(result.trace_json));
    PrintStages(result.stages_json);
  }
  return absl::OkStatus();
}

absl::StatusOr<Inputs> ReadInputs(const InferCommand& command, std::vector<TensorSpec> specs,
                                  const inference::ModelConfig& config) {
  std::set<std::string> optional;
  for (const auto& input : config.input()) {
    if (input.optional()) {
      optional.insert(input.name());
    }
  }
  Inputs inputs(std::move(specs), std::move(optional));
  for (const std::string& image : command.images) {
    RETURN_IF_ERROR(inputs.Add(image, "image", /*is_file=*/true));
  }
  for (const std::string& text : command.texts) {
    RETURN_IF_ERROR(inputs.Add(text, "text", /*is_file=*/false));
  }
  for (const std::string& input : command.inputs) {
    RETURN_IF_ERROR(inputs.Add(input, "", /*is_file=*/false));
  }
  RETURN_IF_ERROR(inputs.CheckAllGiven());
  return inputs;
}

}  // namespace

absl::Status Infer(const CommonOptions& common, const InferCommand& command) {
  ASSIGN_OR_RETURN(const client::ConnectOptions connect,
                   client::ReadConnectOptions(common.url(), common.files));
  client::GrpcClient client(connect);
  ASSIGN_OR_RETURN(std::vector<TensorSpec> specs, FetchInputs(client, command));
  // Who may not see it gives every input, and takes one answer.
  const inference::ModelConfig config =
      FetchConfig(client, command).value_or(inference::ModelConfig());
  ASSIGN_OR_RETURN(const Inputs inputs, ReadInputs(command, std::move(specs), config));
  const client::InferOptions options{.version = command.version,
                                     .outputs = command.outputs,
                                     .trace = command.trace,
                                     .timeout = std::chrono::milliseconds(command.timeout_ms)};
  if (!config.model_transaction_policy().decoupled()) {
    ASSIGN_OR_RETURN(const client::InferResult result,
                     client.Infer(command.model, inputs.tensors(), options));
    return Print(common, command, result, /*is_one_of_many=*/false);
  }
  size_t answers = 0;
  RETURN_IF_ERROR(client.InferMany(command.model, inputs.tensors(), options,
                                   [&](const client::InferResult& result) {
                                     ++answers;
                                     return Print(common, command, result, /*is_one_of_many=*/true);
                                   }));
  if (!common.json) {
    fmt::print("{} answers\n", answers);
  }
  return absl::OkStatus();
}

}  // namespace omserve::omctl
