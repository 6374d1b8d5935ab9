// SPDX-License-Identifier: Apache-2.0
// Tensors in shared memory, as clients on the same machine send and get them.
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/protocol/daemon_fixture.h"
#include "tests/shared_object.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using inference::GRPCInferenceService;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using testing::SharedObject;

constexpr size_t kRowBytes = size_t{32} * 8;  // Of each input of the text model.
constexpr size_t kObjectBytes = size_t{1} << 17;
constexpr size_t kOut = size_t{1} << 16;  // Where outputs are wanted.

void AllowSharing(ServerConfig& config) { config.mutable_shared_memory()->set_allow(true); }

grpc::Status Register(TestDaemon& daemon, const std::string& name, const SharedObject& object,
                      uint64_t offset_bytes, uint64_t size_bytes) {
  inference::SystemSharedMemoryRegisterRequest request;
  request.set_name(name);
  request.set_key(object.key());
  request.set_offset(offset_bytes);
  request.set_byte_size(size_bytes);
  inference::SystemSharedMemoryRegisterResponse response;
  return daemon.client().Call(&GRPCInferenceService::Stub::SystemSharedMemoryRegister, request,
                              &response);
}

void Unregister(TestDaemon& daemon, const std::string& name) {
  inference::SystemSharedMemoryUnregisterRequest request;
  request.set_name(name);
  inference::SystemSharedMemoryUnregisterResponse response;
  CHECK(daemon.client()
            .Call(&GRPCInferenceService::Stub::SystemSharedMemoryUnregister, request, &response)
            .ok());
}

template <typename Tensor>
void Place(Tensor& tensor, const std::string& region, int64_t offset_bytes, int64_t size_bytes) {
  auto& parameters = *tensor.mutable_parameters();
  parameters["shared_memory_region"].set_string_param(region);
  parameters["shared_memory_offset"].set_int64_param(offset_bytes);
  parameters["shared_memory_byte_size"].set_int64_param(size_bytes);
}

ModelInferResponse Answer(TestDaemon& daemon, const ModelInferRequest& request) {
  ModelInferResponse response;
  const grpc::Status status = daemon.client().Infer(request, &response);
  INFO(status.error_message());
  REQUIRE(status.ok());
  return response;
}

std::string ErrorOf(TestDaemon& daemon, const ModelInferRequest& request, grpc::StatusCode code) {
  ModelInferResponse response;
  const grpc::Status status = daemon.client().Infer(request, &response);
  CHECK(status.error_code() == code);
  return status.error_message();
}

// `request` with both inputs in `region`, one after the other, written to `object`.
ModelInferRequest Shared(const ModelInferRequest& request, const std::string& region,
                         const SharedObject& object) {
  ModelInferRequest shared = request;
  shared.clear_raw_input_contents();
  int64_t offset_bytes = 0;
  for (int i = 0; i < 2; ++i) {
    const std::string& raw = request.raw_input_contents(i);
    object.Write(static_cast<size_t>(offset_bytes), raw);
    Place(*shared.mutable_inputs(i), region, offset_bytes, static_cast<int64_t>(raw.size()));
    offset_bytes += static_cast<int64_t>(raw.size());
  }
  return shared;
}

// Inputs and output in place, by the device itself: the answer has the output's name and shape, and
// an empty slot for its bytes.
TEST_CASE("gRPC: tensors in shared memory",
          "[1.1/SystemSharedMemoryRegister][1.4/positional][1.4/shm-output-entry]"
          "[1.8/shared-memory][1.11/output-grpc]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, AllowSharing);
  const SharedObject object(kObjectBytes);
  REQUIRE(Register(daemon, "in", object, 0, 4096).ok());
  REQUIRE(Register(daemon, "out", object, kOut, 32768).ok());
  const ModelInferRequest plain = TextRequest("text", 2);
  const ModelInferResponse expected = Answer(daemon, plain);
  const std::string& tensor = expected.raw_output_contents(0);
  ModelInferRequest shared = Shared(plain, "in", object);
  auto& output = *shared.add_outputs();
  output.set_name("text_features");
  Place(output, "out", 64, 32000);
  const ModelInferResponse response = Answer(daemon, shared);
  REQUIRE(response.outputs_size() == 1);
  CHECK(response.outputs(0).SerializeAsString() == expected.outputs(0).SerializeAsString());
  REQUIRE(response.raw_output_contents_size() == 1);
  CHECK(response.raw_output_contents(0).empty());
  CHECK(object.Read(kOut + 64, tensor.size()) == tensor);
  CHECK(object.Read(kOut + 64 + tensor.size(), 8) == std::string(8, '\0'));
  const std::string tensors = "omserve_shared_memory_tensors_total";
  CHECK(Metric(daemon.http_port(), tensors + "{way=\"in_place\"}") == 3);
  CHECK(Metric(daemon.http_port(), tensors + "{way=\"copied\"}") == 0);
  CHECK(Metric(daemon.http_port(), "omserve_shared_memory_regions") == 2);
  CHECK(Metric(daemon.http_port(), "omserve_shared_memory_bytes") == 4096 + 32768);

  // One input in the message: the raw contents are its alone.
  *shared.mutable_inputs(0) = plain.inputs(0);
  shared.add_raw_input_contents(plain.raw_input_contents(0));
  object.Write(kOut + 64, std::string(tensor.size(), 'x'));
  Answer(daemon, shared);
  CHECK(object.Read(kOut + 64, tensor.size()) == tensor);
}

// What is listed, and what is refused in Triton's words.
TEST_CASE("gRPC: regions of shared memory",
          "[1.1/SystemSharedMemoryStatus][1.1/SystemSharedMemoryRegister]"
          "[1.1/SystemSharedMemoryUnregister][1.9/shared-memory][1.11/duplicate]"
          "[1.11/unknown-region][1.11/bounds][1.11/object-too-small][1.11/status-unknown]"
          "[1.11/unregister-unknown][1.11/output-too-small][1.11/with-classification]"
          "[1.15/already-exists][1.15/not-found]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, AllowSharing);
  const SharedObject object(kObjectBytes);
  REQUIRE(Register(daemon, "in", object, 16, 4096).ok());
  const grpc::Status twice = Register(daemon, "in", object, 0, 4096);
  CHECK(twice.error_code() == grpc::StatusCode::ALREADY_EXISTS);
  CHECK(twice.error_message() == "shared memory region 'in' already in manager");
  const grpc::Status larger = Register(daemon, "larger", object, 16, kObjectBytes);
  CHECK(larger.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK_THAT(larger.error_message(),
             StartsWith("failed to register shared memory region 'larger'"));
  inference::SystemSharedMemoryStatusRequest ask;
  inference::SystemSharedMemoryStatusResponse told;
  const auto status = &GRPCInferenceService::Stub::SystemSharedMemoryStatus;
  REQUIRE(daemon.client().Call(status, ask, &told).ok());
  REQUIRE(told.regions().size() == 1);
  CHECK(told.regions().at("in").name() == "in");
  CHECK(told.regions().at("in").key() == object.key());
  CHECK(told.regions().at("in").offset() == 16);
  CHECK(told.regions().at("in").byte_size() == 4096);
  ask.set_name("nobody");
  CHECK(daemon.client().Call(status, ask, &told).error_code() == grpc::StatusCode::NOT_FOUND);

  const ModelInferRequest good = Shared(TextRequest("text", 1), "in", object);
  ModelInferRequest bad = good;
  Place(*bad.mutable_inputs(0), "nobody", 0, kRowBytes);
  CHECK_THAT(ErrorOf(daemon, bad, grpc::StatusCode::NOT_FOUND),
             Contains("Unable to find shared memory region: 'nobody'"));
  Place(*bad.mutable_inputs(0), "in", 4096 - kRowBytes + 1, kRowBytes);
  CHECK_THAT(ErrorOf(daemon, bad, grpc::StatusCode::INVALID_ARGUMENT),
             Contains("Invalid offset + byte size for shared memory region: 'in'"));
  Place(*bad.mutable_inputs(0), "in", 0, kRowBytes - 8);
  CHECK_THAT(ErrorOf(daemon, bad, grpc::StatusCode::INVALID_ARGUMENT), Contains("input_ids"));
  bad = good;
  auto& output = *bad.add_outputs();
  output.set_name("text_features");
  Place(output, "in", 0, 8);
  CHECK_THAT(ErrorOf(daemon, bad, grpc::StatusCode::INVALID_ARGUMENT),
             Contains("shared memory size specified with the request for output 'text_features' (8 "
                      "bytes) should be at least"));
  (*output.mutable_parameters())["classification"].set_int64_param(2);
  CHECK_THAT(ErrorOf(daemon, bad, grpc::StatusCode::INVALID_ARGUMENT), Contains("classes"));
  Answer(daemon, good);
  Unregister(daemon, "");
  CHECK_THAT(ErrorOf(daemon, good, grpc::StatusCode::NOT_FOUND), Contains("'in'"));
  Unregister(daemon, "in");  // None already.
}

boost::json::value BodyOf(const std::string& answer) {
  INFO(answer);
  return boost::json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
}

// The same over REST: an output in shared memory has neither data nor parameters.
TEST_CASE("HTTP: tensors in shared memory",
          "[1.2/system-shm-status][1.2/system-shm-register][1.2/system-shm-unregister]"
          "[1.8/shared-memory][1.11/output-rest]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, AllowSharing);
  const int port = daemon.http_port();
  const SharedObject object(kObjectBytes);
  const ModelInferRequest plain = TextRequest("text", 1);
  const std::string tensor = Answer(daemon, plain).raw_output_contents(0);
  Shared(plain, "r", object);
  const std::string region = "/v2/systemsharedmemory/region/my%20r";
  CHECK_THAT(HttpPost(port, region + "/register",
                      R"({"key":")" + object.key() + R"(","offset":0,"byte_size":131072})"),
             StartsWith("HTTP/1.1 200 ") && Contains("Content-Length: 0"));
  CHECK(BodyOf(HttpGet(port, "/v2/systemsharedmemory/status")) ==
        boost::json::array{
            {{"name", "my r"}, {"key", object.key()}, {"offset", 0}, {"byte_size", kObjectBytes}}});
  CHECK(BodyOf(HttpGet(port, region + "/status")).as_array().size() == 1);
  const auto place = [](size_t offset_bytes, size_t size_bytes) {
    return R"("parameters":{"shared_memory_region":"my r","shared_memory_offset":)" +
           std::to_string(offset_bytes) + R"(,"shared_memory_byte_size":)" +
           std::to_string(size_bytes) + "}";
  };
  const std::string inputs =
      R"({"inputs":[{"name":"input_ids","datatype":"INT64","shape":[1,32],)" + place(0, kRowBytes) +
      R"(},{"name":"attention_mask","datatype":"INT64","shape":[1,32],)" +
      place(kRowBytes, kRowBytes) + "}]";
  const boost::json::value answer = BodyOf(HttpPost(
      port, "/v2/models/text/infer",
      inputs + R"(,"outputs":[{"name":"text_features",)" + place(kOut, kOut) + "}]}", "}]}"));
  const boost::json::object& output = answer.at("outputs").at(0).as_object();
  CHECK(output.at("name") == "text_features");
  CHECK_FALSE(output.contains("data"));
  CHECK_FALSE(output.contains("parameters"));
  CHECK(object.Read(kOut, tensor.size()) == tensor);
  // And in the answer, beside inputs that are not.
  CHECK(BodyOf(HttpPost(port, "/v2/models/text/infer", inputs + "}", "}]}"))
            .at("outputs")
            .at(0)
            .at("data")
            .as_array()
            .size() == tensor.size() / 4);
  for (const char* body : {"", "[]", "{}", R"({"key":"/x"})", R"({"key":1,"byte_size":2})",
                           R"({"key":"/x","byte_size":-1})", R"({"key":"/x","byte_size":"9"})"}) {
    CHECK_THAT(HttpPost(port, region + "/register", body), StartsWith("HTTP/1.1 400 "));
  }
  CHECK_THAT(HttpGet(port, "/v2/systemsharedmemory/region/x/status"), StartsWith("HTTP/1.1 404 "));
  CHECK_THAT(HttpPost(port, region + "/unregister", ""), StartsWith("HTTP/1.1 200 "));
  CHECK_THAT(HttpPost(port, "/v2/systemsharedmemory/unregister", ""), StartsWith("HTTP/1.1 200 "));
  CHECK(BodyOf(HttpGet(port, "/v2/systemsharedmemory/status")).as_array().empty());
}

// The region is forgotten and its object goes while the request waits: the answer is right all the
// same.
TEST_CASE("A region is unregistered while requests use it", "[1.11/unregister-in-flight]") {
  Repository repository;
  repository.AddText("text",
                     "dynamic_batching: {preferred_batch_size: [2], "
                     "max_queue_delay_microseconds: 60000000}\n");
  TestDaemon daemon(repository, AllowSharing);
  const ModelInferRequest plain = TextRequest("text", 2);
  const std::string tensor = Answer(daemon, plain).raw_output_contents(0);
  ModelInferResponse response;
  std::thread waiting;
  {
    const SharedObject object(4096);
    REQUIRE(Register(daemon, "in", object, 0, 4096).ok());
    const ModelInferRequest half = Shared(TextRequest("text", 1), "in", object);
    waiting = std::thread([&daemon, &response, half] { response = Answer(daemon, half); });
    AwaitMetric(daemon.http_port(),
                "nv_inference_pending_request_count{model=\"text\",version=\"1\"}", 1);
    Unregister(daemon, "in");
  }
  Answer(daemon, TextRequest("text", 1));  // The batch is full.
  waiting.join();
  CHECK(response.raw_output_contents(0) == tensor.substr(0, tensor.size() / 2));
}

// A client that cuts its memory short gets an error; the daemon and its other clients do not
// notice.
TEST_CASE("A client cuts its shared memory short", "[1.11/unregister-in-flight]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, AllowSharing);
  const SharedObject object(kObjectBytes);
  REQUIRE(Register(daemon, "in", object, 0, 4096).ok());
  const ModelInferRequest shared = Shared(TextRequest("text", 1), "in", object);
  Answer(daemon, shared);
  object.Truncate(0);
  CHECK_THAT(ErrorOf(daemon, shared, grpc::StatusCode::FAILED_PRECONDITION),
             StartsWith("shared memory region 'in' was made smaller"));
  CHECK_THAT(ErrorOf(daemon, shared, grpc::StatusCode::FAILED_PRECONDITION), Contains("'in'"));
  Answer(daemon, TextRequest("text", 1));
  object.Truncate(kObjectBytes);
  Unregister(daemon, "in");
  REQUIRE(Register(daemon, "in", object, 0, 4096).ok());
  Answer(daemon, Shared(TextRequest("text", 1), "in", object));
}

// Answers that are kept are made from copies: what their clients do to their memory afterwards
// changes nobody's answer.
TEST_CASE("Kept answers stay out of shared memory", "[1.11/output-grpc]") {
  Repository repository;
  repository.AddText("text", "response_cache: {enable: true}\n");
  TestDaemon daemon(repository, [](ServerConfig& config) {
    AllowSharing(config);
    config.mutable_cache()->set_response_bytes(1 << 20);
  });
  const SharedObject object(kObjectBytes);
  REQUIRE(Register(daemon, "r", object, 0, kObjectBytes).ok());
  ModelInferRequest shared = Shared(TextRequest("text", 1), "r", object);
  auto& output = *shared.add_outputs();
  output.set_name("text_features");
  Place(output, "r", kOut, kOut);
  Answer(daemon, shared);
  const std::string tensor = object.Read(kOut, 256);
  object.Write(kOut, std::string(256, 'x'));
  ModelInferRequest plain = TextRequest("text", 1);
  plain.add_outputs()->set_name("text_features");
  CHECK(Answer(daemon, plain).raw_output_contents(0).substr(0, 256) == tensor);
  Answer(daemon, shared);
  CHECK(object.Read(kOut, 256) == tensor);
  CHECK(Metric(daemon.http_port(), "omserve_shared_memory_tensors_total{way=\"in_place\"}") == 0);
}

// Without the setting nobody shares anything, and is told how it could be; nor is there a GPU.
TEST_CASE("Shared memory that is not to be had",
          "[1.1/CudaSharedMemoryStatus][1.1/CudaSharedMemoryRegister][1.2/cuda-shm-status]"
          "[1.2/cuda-shm-register][1.2/cuda-shm-unregister][1.11/off-by-default]"
          "[1.15/unsupported]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const SharedObject object(4096);
  const grpc::Status refused = Register(daemon, "in", object, 0, 4096);
  CHECK(refused.error_code() == grpc::StatusCode::UNIMPLEMENTED);
  CHECK_THAT(refused.error_message(), Contains("--allow-client-shm=true"));
  CHECK_THAT(ErrorOf(daemon, Shared(TextRequest("text", 1), "in", object),
                     grpc::StatusCode::UNIMPLEMENTED),
             Contains("input 'input_ids' is in shared memory") && Contains("shared_memory.allow"));
  Unregister(daemon, "in");
  const int port = daemon.http_port();
  CHECK(BodyOf(HttpGet(port, "/v2/systemsharedmemory/status")).as_array().empty());

  CHECK(BodyOf(HttpGet(port, "/v2/cudasharedmemory/status")).as_array().empty());
  CHECK_THAT(HttpGet(port, "/v2/cudasharedmemory/region/x/status"), StartsWith("HTTP/1.1 404 "));
  CHECK_THAT(HttpPost(port, "/v2/cudasharedmemory/region/x/register",
                      R"({"raw_handle":{"b64":"AA=="},"device_id":0,"byte_size":4})"),
             StartsWith("HTTP/1.1 501 ") && Contains("GPUs not supported"));
  CHECK_THAT(HttpPost(port, "/v2/cudasharedmemory/unregister", ""), StartsWith("HTTP/1.1 200 "));
  inference::CudaSharedMemoryRegisterRequest request;
  request.set_name("x");
  inference::CudaSharedMemoryRegisterResponse response;
  CHECK(daemon.client()
            .Call(&GRPCInferenceService::Stub::CudaSharedMemoryRegister, request, &response)
            .error_code() == grpc::StatusCode::UNIMPLEMENTED);
  inference::CudaSharedMemoryStatusRequest ask;
  inference::CudaSharedMemoryStatusResponse told;
  CHECK(daemon.client().Call(&GRPCInferenceService::Stub::CudaSharedMemoryStatus, ask, &told).ok());
  CHECK(told.regions().empty());
}

}  // namespace
}  // namespace omserve::server
