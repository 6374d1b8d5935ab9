// SPDX-License-Identifier: Apache-2.0
// The compiled protocol against a list of what it must be: protocol_messages.txt.
#include <google/protobuf/descriptor.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "proto/health/health.grpc.pb.h"
#include "proto/inference/grpc_service.grpc.pb.h"
#include "proto/inference/model_config.pb.h"

namespace omserve {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

// Names in the list are relative to the package.
std::string Relative(const std::string& full_name) {
  const std::string package = "inference.";
  return full_name.starts_with(package) ? full_name.substr(package.size()) : full_name;
}

std::string TypeText(const FieldDescriptor& field) {
  if (field.message_type() != nullptr) {
    return Relative(field.message_type()->full_name());
  }
  if (field.enum_type() != nullptr) {
    return "enum " + Relative(field.enum_type()->full_name());
  }
  return field.type_name();
}

std::string FieldText(const FieldDescriptor& field) {
  std::string text = std::to_string(field.number()) + " " + field.name() + ": ";
  if (field.is_map()) {
    text += "map<" + TypeText(*field.message_type()->map_key()) + "," +
            TypeText(*field.message_type()->map_value()) + ">";
  } else {
    text += (field.is_repeated() ? "repeated " : "") + TypeText(field);
  }
  if (field.containing_oneof() != nullptr) {
    text += " [oneof " + field.containing_oneof()->name() + "]";
  }
  return text;
}

std::string EnumText(const EnumDescriptor& type) {
  std::string text = "enum " + type.name() + " {";
  for (int i = 0; i < type.value_count(); ++i) {
    text += (i == 0 ? "" : ", ") + type.value(i)->name() + "=" +
            std::to_string(type.value(i)->number());
  }
  return text + "}";
}

// Fields from 1000 on are omserve's own and not part of the protocol.
void AddMessage(const Descriptor& type, std::set<std::string>& lines) {
  const std::string name = Relative(type.full_name());
  lines.insert("message " + name);
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->number() < 1000) {
      lines.insert(name + " / " + FieldText(*type.field(i)));
    }
  }
  for (int i = 0; i < type.enum_type_count(); ++i) {
    lines.insert(name + " / " + EnumText(*type.enum_type(i)));
  }
  for (int i = 0; i < type.nested_type_count(); ++i) {
    if (!type.nested_type(i)->options().map_entry()) {
      AddMessage(*type.nested_type(i), lines);
    }
  }
}

std::set<std::string> CompiledLines(const FileDescriptor& file) {
  std::set<std::string> lines;
  for (int i = 0; i < file.message_type_count(); ++i) {
    const std::string& name = file.message_type(i)->name();
    if (name != "Pipeline" && name != "ModelPadding" && name != "ModelReplacement") {
      AddMessage(*file.message_type(i), lines);
    }
  }
  for (int i = 0; i < file.enum_type_count(); ++i) {
    lines.insert(EnumText(*file.enum_type(i)));
  }
  for (int i = 0; i < file.service_count(); ++i) {
    const ServiceDescriptor& service = *file.service(i);
    for (int k = 0; k < service.method_count(); ++k) {
      const MethodDescriptor& method = *service.method(k);
      lines.insert("rpc " + service.full_name() + " " + method.name() + " " +
                   Relative(method.input_type()->full_name()) + " -> " +
                   Relative(method.output_type()->full_name()));
    }
  }
  return lines;
}

// The list with the enclosing message in front of each field and nested enum.
std::set<std::string> ListedLines(const std::string& proto_file) {
  std::ifstream file(OMSERVE_SOURCE_DIR "/tests/config/protocol_messages.txt");
  REQUIRE(file.good());
  std::set<std::string> lines;
  std::vector<std::string> enclosing;  // By depth.
  bool wanted = false;
  for (std::string line; std::getline(file, line);) {
    const size_t indent = line.find_first_not_of(' ');
    if (indent == std::string::npos) {
      continue;
    }
    const std::string text = line.substr(indent);
    if (text.starts_with("## file ")) {
      wanted = text.starts_with("## file " + proto_file + " ");
    } else if (wanted && text.starts_with("message ")) {
      enclosing.resize(indent / 2);
      enclosing.push_back(text.substr(8));
      lines.insert(text);
    } else if (wanted) {
      lines.insert(indent == 0 ? text : enclosing.at(indent / 2 - 1) + " / " + text);
    }
  }
  return lines;
}

void RequireSame(const std::set<std::string>& compiled, const std::set<std::string>& listed) {
  for (const std::string& line : listed) {
    INFO("listed but not compiled: " << line);
    CHECK(compiled.contains(line));
  }
  for (const std::string& line : compiled) {
    INFO("compiled but not listed: " << line);
    CHECK(listed.contains(line));
  }
}

// Every message, field, number, type, label, oneof, enum value and method of the inference service
// is the protocol's, and none is added below field 1000.
TEST_CASE("the inference service is the protocol's",
          "[1.1/InferParameter][1.1/InferTensorContents][1.1/ModelInferRequest]"
          "[1.1/InferInputTensor][1.1/InferRequestedOutputTensor][1.1/ModelInferResponse]"
          "[1.1/InferOutputTensor][1.1/ModelRepositoryParameter][1.1/StatisticDuration]"
          "[1.1/InferStatistics][1.1/InferResponseStatistics][1.1/InferBatchStatistics]"
          "[1.1/MemoryUsage][1.1/ModelStatisticsMessage]") {
  const FileDescriptor& file = *inference::ModelInferRequest::descriptor()->file();
  const std::set<std::string> listed = ListedLines("grpc_service.proto");
  REQUIRE(listed.size() > 200);
  RequireSame(CompiledLines(file), listed);
}

// The same for ModelConfig.
TEST_CASE("the model configuration is the protocol's") {
  const FileDescriptor& file = *inference::ModelConfig::descriptor()->file();
  const std::set<std::string> listed = ListedLines("model_config.proto");
  REQUIRE(listed.size() > 200);
  RequireSame(CompiledLines(file), listed);
}

// ModelStreamInfer alone streams, in both directions; the list does not say so.
TEST_CASE("only ModelStreamInfer streams", "[1.1/streaming]") {
  const ServiceDescriptor* service =
      inference::ModelInferRequest::descriptor()->file()->FindServiceByName("GRPCInferenceService");
  REQUIRE(service != nullptr);
  REQUIRE(service->method_count() == 20);
  for (int i = 0; i < service->method_count(); ++i) {
    const bool streams = service->method(i)->name() == "ModelStreamInfer";
    CAPTURE(service->method(i)->name());
    CHECK(service->method(i)->client_streaming() == streams);
    CHECK(service->method(i)->server_streaming() == streams);
  }
}

// omserve's own field sits at 1000 and is the pipeline.
TEST_CASE("the pipeline is field 1000") {
  const FieldDescriptor* field = inference::ModelConfig::descriptor()->FindFieldByNumber(1000);
  REQUIRE(field != nullptr);
  CHECK(FieldText(*field) == "1000 pipeline: Pipeline");
}

// The health service answers at the path that kubelet and grpc_health_probe call, with their
// numbers.
TEST_CASE("the health service is grpc.health.v1", "[1.1/health-check][1.1/health-watch]") {
  const ServiceDescriptor* service =
      grpc::health::v1::HealthCheckRequest::descriptor()->file()->FindServiceByName("Health");
  REQUIRE(service != nullptr);
  CHECK(service->full_name() == "grpc.health.v1.Health");
  REQUIRE(service->method_count() == 2);
  CHECK(service->method(0)->name() == "Check");
  CHECK_FALSE(service->method(0)->server_streaming());
  CHECK(service->method(1)->name() == "Watch");
  CHECK(service->method(1)->server_streaming());
  CHECK_FALSE(service->method(1)->client_streaming());
  const FieldDescriptor* name =
      grpc::health::v1::HealthCheckRequest::descriptor()->FindFieldByNumber(1);
  REQUIRE(name != nullptr);
  CHECK(FieldText(*name) == "1 service: string");
  const FieldDescriptor* status =
      grpc::health::v1::HealthCheckResponse::descriptor()->FindFieldByNumber(1);
  REQUIRE(status != nullptr);
  CHECK(status->name() == "status");
  CHECK(EnumText(*status->enum_type()) ==
        "enum ServingStatus {UNKNOWN=0, SERVING=1, NOT_SERVING=2, SERVICE_UNKNOWN=3}");
}

}  // namespace
}  // namespace omserve
