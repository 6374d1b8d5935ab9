// SPDX-License-Identifier: Apache-2.0
// Traces of requests, over both front ends, to a collector and as pictures.
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proto/rpc/error_details.pb.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "tests/server/core/tracing/chrome_checker.h"
#include "tests/server/protocol/daemon_fixture.h"
#include "tests/server/protocol/trace_collector.h"
#include "tests/status_test_util.h"
#include "tests/tools/omctl/omctl_run.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using OtlpSpan = Collector::OtlpSpan;

constexpr char kTraceId[] = "0af7651916cd43dd8448eb211c80319c";
constexpr char kSampled[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr char kNotSampled[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::function<void(ServerConfig&)> TracesTo(const Collector& collector, uint32_t rate = 1) {
  return [endpoint = collector.endpoint(), rate](ServerConfig& config) {
    TraceConfig& trace = *config.mutable_trace();
    trace.set_rate(rate);
    trace.mutable_otlp()->set_endpoint(endpoint);
    trace.mutable_otlp()->set_delay_ms(10);
    trace.mutable_otlp()->add_resource("deployment.environment=test");
  };
}

// Calls ModelInfer with the headers; gives the answer's.
std::string InferWith(TestDaemon& daemon, const inference::ModelInferRequest& request,
                      const std::string& traceparent, const std::string& tracestate = "",
                      grpc::StatusCode code = grpc::StatusCode::OK) {
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  if (!traceparent.empty()) {
    context.AddMetadata("traceparent", traceparent);
  }
  if (!tracestate.empty()) {
    context.AddMetadata("tracestate", tracestate);
  }
  inference::ModelInferResponse response;
  const grpc::Status status = daemon.client().stub->ModelInfer(&context, request, &response);
  INFO(status.error_message());
  CHECK(status.error_code() == code);
  CHECK_FALSE(response.parameters().contains("omserve_trace"));  // Nobody asked for it.
  const auto found = context.GetServerInitialMetadata().find("traceparent");
  return found == context.GetServerInitialMetadata().end()
             ? ""
             : std::string(found->second.data(), found->second.size());
}

// Until the daemon closes the connection: who ends its sending before has gone.
std::string Ask(int port, const std::string& bytes) {
  constexpr char kNever[] = "\r\n\r\n\r\n";
  return SendHttp(port, bytes, kNever);
}

std::string Get(int port, const std::string& path) {
  return Ask(port, "GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
}

std::string HttpInfer(int port, const std::string& fields) {
  const std::string ids = "[[" + std::string("1") + [] {
    std::string rest;
    for (int i = 1; i < 32; ++i) {
      rest += ",1";
    }
    return rest;
  }() + "]]";
  const std::string body =
      R"({"inputs":[{"name":"input_ids","datatype":"INT64","shape":[1,32],"data":)" + ids +
      R"(},{"name":"attention_mask","datatype":"INT64","shape":[1,32],"data":)" + ids + "}]}";
  return Ask(port, "POST /v2/models/text/infer HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" +
                       fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                       body);
}

// Parents that are there, times within them, on the wall clock.
void CheckTree(const std::map<std::string, OtlpSpan>& spans, const std::string& root_parent) {
  size_t roots = 0;
  for (const auto& [id, span] : spans) {
    INFO(span.name());
    CHECK(span.start_time_unix_nano() <= span.end_time_unix_nano());
    if (span.parent_span_id() == root_parent) {
      ++roots;
      CHECK(span.kind() == OtlpSpan::SPAN_KIND_SERVER);
      continue;
    }
    REQUIRE(spans.contains(span.parent_span_id()));
    const OtlpSpan& parent = spans.at(span.parent_span_id());
    CHECK(parent.start_time_unix_nano() <= span.start_time_unix_nano());
    CHECK(span.end_time_unix_nano() <= parent.end_time_unix_nano());
  }
  CHECK(roots == 1);
}

// The attribute's; empty where the span has none.
std::string TextOf(const OtlpSpan& span, const std::string& name) {
  for (const auto& attribute : span.attributes()) {
    if (attribute.key() == name) {
      return attribute.value().string_value();
    }
  }
  return "";
}

uint64_t WallNs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

// A client's trace over gRPC: the pipeline's steps come to the collector under the client's span.
TEST_CASE("A pipeline's trace arrives at a collector", "[1.13][trace]") {
  Collector collector;
  Repository repository;
  repository.AddScenes();
  TestDaemon daemon(repository, TracesTo(collector, /*rate=*/0));
  const uint64_t before = WallNs();
  const std::string answered =
      InferWith(daemon, SceneRequest(SceneFile("samples/00.png"), "what is it"), kSampled, "a=1");
  CHECK_THAT(answered, StartsWith(std::string("00-") + kTraceId + "-"));
  CHECK(answered.ends_with("-01"));
  const OtlpSpan root = collector.Await("infer scenes", 1).front();
  CHECK(root.span_id() == FromHex(answered.substr(36, 16)));
  CHECK(root.parent_span_id() == FromHex("b7ad6b7169203331"));
  CHECK(root.trace_state() == "a=1");
  // Within what any two readings of the wall clock may differ by.
  constexpr uint64_t kSlackNs = 1'000'000'000;
  CHECK(root.start_time_unix_nano() + kSlackNs >= before);
  CHECK(root.end_time_unix_nano() <= WallNs() + kSlackNs);
  const std::map<std::string, OtlpSpan> spans = collector.Trace(FromHex(kTraceId));
  CheckTree(spans, FromHex("b7ad6b7169203331"));
  std::map<std::string, int> names;
  for (const auto& [id, span] : spans) {
    ++names[span.name()];
  }
  CHECK(names["batch"] == 4);
  CHECK(names["compute"] == 4);
  CHECK(names["step fusion"] == 1);
  const OtlpSpan batch = collector.Await("batch", 4).front();
  std::map<std::string, int64_t> attributes;
  for (const auto& attribute : batch.attributes()) {
    attributes[attribute.key()] = attribute.value().int_value();
  }
  CHECK(attributes["omserve.batch.rows"] == 1);
  CHECK(attributes.contains("omserve.lane"));
  CHECK(attributes.contains("omserve.stream"));
  CHECK(collector.Resource()["service.name"] == "omserve");
  CHECK(collector.Resource()["service.version"] == "1.2.3");
  CHECK(collector.Resource()["deployment.environment"] == "test");
}

// The same over HTTP, with an answer in the same words; damaged headers are as none.
TEST_CASE("Trace context over HTTP", "[1.13][1.2][trace]") {
  Collector collector;
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, TracesTo(collector, /*rate=*/0));
  const int port = daemon.http_port();
  const std::string field = std::string("traceparent: ") + kSampled + "\r\n";
  CHECK_THAT(HttpInfer(port, field + "tracestate: a=1\r\ntracestate: b=2\r\n"),
             StartsWith("HTTP/1.1 200 ") && Contains("traceparent: 00-" + std::string(kTraceId)) &&
                 Contains("tracestate: a=1,b=2\r\n"));
  CheckTree((collector.Await("infer text", 1), collector.Trace(FromHex(kTraceId))),
            FromHex("b7ad6b7169203331"));
  for (const std::string& bad :
       {std::string("traceparent: 00-x\r\n"), field + field, std::string("tracestate: a=1\r\n")}) {
    CHECK_THAT(HttpInfer(port, bad), StartsWith("HTTP/1.1 200 ") && !Contains("traceparent"));
  }
  CHECK_THAT(HttpInfer(port, std::string("traceparent: ") + kNotSampled + "\r\n"),
             Contains(std::string("traceparent: 00-") + kTraceId) && Contains("-00\r\n"));
  CHECK(Metric(port, "omserve_traces_total") == 1);
}

// Numbers that JSON cannot say: the trace ends as the answer does, not as the run did.
TEST_CASE("The trace of an HTTP answer that cannot be built", "[trace]") {
  Collector collector;
  Repository repository;
  repository.AddModel("vision_a", "vision_a");
  TestDaemon daemon(repository, TracesTo(collector));
  const std::string nans(3 * 48 * 48 * sizeof(float), '\xff');
  const std::string json = R"({"inputs":[{"name":"image","datatype":"FP32","shape":[1,3,48,48],)"
                           R"("parameters":{"binary_data_size":)" +
                           std::to_string(nans.size()) + "}}]}";
  const std::string answer =
      Ask(daemon.http_port(),
          "POST /v2/models/vision_a/infer HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
          "Inference-Header-Content-Length: " +
              std::to_string(json.size()) + "\r\nContent-Length: " +
              std::to_string(json.size() + nans.size()) + "\r\n\r\n" + json + nans);
  CHECK_THAT(answer, StartsWith("HTTP/1.1 400 ") && Contains("JSON cannot say"));
  const OtlpSpan span = collector.Await("infer vision_a", 1).front();
  CHECK(span.status().code() == opentelemetry::proto::trace::v1::Status::STATUS_CODE_ERROR);
  CHECK_THAT(span.status().message(), StartsWith("INVALID_ARGUMENT: "));
}

// A request that is refused is traced with its reason; one that nobody traces is not, and its
// answer says nothing.
TEST_CASE("Which requests are traced", "[1.13][trace]") {
  Collector collector;
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, TracesTo(collector, /*rate=*/2));
  CHECK(InferWith(daemon, TextRequest("text", 1), "").empty());
  CHECK(InferWith(daemon, TextRequest("text", 1), "").size() == 55);
  CHECK(InferWith(daemon, TextRequest("text", 1), kNotSampled).ends_with("-00"));
  inference::ModelInferRequest wrong = TextRequest("text", 1);
  wrong.mutable_inputs(0)->set_name("nobody");
  InferWith(daemon, wrong, kSampled, "", grpc::StatusCode::INVALID_ARGUMENT);
  const std::vector<OtlpSpan> spans = collector.Await("infer text", 2);
  CHECK(spans.size() == 2);
  CHECK(spans[0].parent_span_id().empty());
  CHECK(spans[0].status().code() == opentelemetry::proto::trace::v1::Status::STATUS_CODE_UNSET);
  CHECK(spans[1].status().code() == opentelemetry::proto::trace::v1::Status::STATUS_CODE_ERROR);
  CHECK_THAT(spans[1].status().message(), StartsWith("INVALID_ARGUMENT: "));
  AwaitMetric(daemon.http_port(), "omserve_traces_written_total", 2);
}

// The requests of a stream, each a trace of its own span under the stream's.
TEST_CASE("Requests of a stream are traced", "[1.13][1.14][trace]") {
  Collector collector;
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, TracesTo(collector));
  grpc::ClientContext context;
  Client::SetDeadline(context, std::chrono::seconds(30));
  context.AddMetadata("traceparent", kSampled);
  const auto stream = daemon.client().stub->ModelStreamInfer(&context);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(stream->Write(TextRequest("text", 1)));
    inference::ModelStreamInferResponse response;
    REQUIRE(stream->Read(&response));
  }
  stream->WritesDone();
  CHECK(stream->Finish().ok());
  const std::vector<OtlpSpan> spans = collector.Await("infer text", 3);
  CHECK(spans[0].span_id() != spans[1].span_id());
  CHECK(spans[2].trace_id() == FromHex(kTraceId));
  CHECK(TextOf(spans[2], "omserve.protocol") == "grpc-stream");
}

// A collector that is away for a while gets them later; what waits when the daemon ends is sent.
TEST_CASE("A collector that is away", "[trace]") {
  Collector collector;
  collector.FailNext(1);
  Repository repository;
  repository.AddText();
  {
    TestDaemon daemon(repository, TracesTo(collector));
    InferWith(daemon, TextRequest("text", 1), "");
    collector.Await("infer text", 1);
    CHECK(Metric(daemon.http_port(), "omserve_trace_write_failures_total") == 1);
  }
  {
    TestDaemon daemon(repository, [&collector](ServerConfig& config) {
      TracesTo(collector)(config);
      config.mutable_trace()->mutable_otlp()->set_delay_ms(3'600'000);
    });
    InferWith(daemon, TextRequest("text", 1), "");
    CHECK(Metric(daemon.http_port(), "omserve_traces_waiting") == 1);
  }
  CHECK(collector.Await("infer text", 2).size() == 2);
}

// A message that is too large will be too large again: it is dropped, and the next one arrives. One
// that a busy collector wants later comes again.
TEST_CASE("A collector that has no room", "[trace]") {
  Collector collector;
  collector.FailNext(1, {grpc::StatusCode::RESOURCE_EXHAUSTED, "too large"});
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, TracesTo(collector));
  const int port = daemon.http_port();
  InferWith(daemon, TextRequest("text", 1), "");
  AwaitMetric(port, R"(omserve_traces_dropped_total{reason="refused"})", 1);
  rpc::Status later;
  later.add_details()->set_type_url("type.googleapis.com/google.rpc.RetryInfo");
  collector.FailNext(1, {grpc::StatusCode::RESOURCE_EXHAUSTED, "busy", later.SerializeAsString()});
  InferWith(daemon, TextRequest("text", 1), "");
  CHECK(collector.Await("infer text", 1).size() == 1);
  CHECK(Metric(port, "omserve_trace_write_failures_total") == 2);
}

// With TENSORS a trace says what the tensors are, where they are the model's; an answer that was
// kept says so.
TEST_CASE("Tensors and kept answers in traces", "[1.13][trace]") {
  Collector collector;
  Repository repository;
  repository.AddText("text", "response_cache: {enable: true}\n");
  TestDaemon daemon(repository, [&collector](ServerConfig& config) {
    TracesTo(collector)(config);
    config.mutable_cache()->set_response_bytes(1 << 20);
    config.mutable_trace()->add_level("TENSORS");
  });
  InferWith(daemon, TextRequest("text", 1), "");
  InferWith(daemon, TextRequest("text", 1), "");
  inference::ModelInferRequest wrong = TextRequest("text", 1);
  wrong.mutable_inputs(0)->set_name("nobody");
  InferWith(daemon, wrong, "", "", grpc::StatusCode::INVALID_ARGUMENT);
  const std::vector<OtlpSpan> spans = collector.Await("infer text", 3);
  std::vector<std::map<std::string, std::string>> attributes(3);
  for (size_t i = 0; i < 3; ++i) {
    for (const auto& attribute : spans[i].attributes()) {
      attributes[i][attribute.key()] =
          attribute.value().has_bool_value() ? "bool" : attribute.value().string_value();
    }
  }
  CHECK(attributes[0]["omserve.input.input_ids"] == "INT64[1,32]");
  CHECK_THAT(attributes[0]["omserve.output.text_features"], StartsWith("FP32[1,"));
  CHECK_FALSE(attributes[0].contains("omserve.from_cache"));
  CHECK(attributes[1]["omserve.from_cache"] == "bool");
  CHECK_FALSE(attributes[2].contains("omserve.input.nobody"));
}

// Lines of the log can be found by the trace's id.
TEST_CASE("The log has the ids of traces", "[trace]") {
  Collector collector;
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository, TracesTo(collector));
  InitLog({.level = LogLevel::kDebug, .json = false, .file = "trace.log"});
  InferWith(daemon, TextRequest("text", 1), kSampled);
  OMSERVE_LOG(kInfo, "test", "lines before this one are in the file");
  InitLog({.level = LogLevel::kOff});
  CHECK_THAT(VALUE(ReadFile("trace.log")),
             Contains(std::string("request traced trace_id=") + kTraceId));
}

// A picture of some time, whatever the sampling: right by the format, with tracks for streams and
// arrows from requests. The daemon ends while somebody waits for it: who waits gets what there is.
TEST_CASE("A capture is a picture that Perfetto opens", "[trace]") {
  Repository repository;
  repository.AddScenes();
  auto daemon = std::make_unique<TestDaemon>(repository);
  const int port = daemon->daemon().admin_http_port();
  std::string answer;
  std::jthread waits([&] { answer = Get(port, "/v2/trace/capture?seconds=600"); });
  // The first one whose answer tells of a trace is in the picture, however slow the machine is.
  const auto request = SceneRequest(SceneFile("samples/00.png"), "what is it");
  while (InferWith(*daemon, request, "").empty()) {
    Pause(std::chrono::milliseconds(5));
  }
  CHECK_THAT(Get(port, "/v2/trace/capture"),
             StartsWith("HTTP/1.1 503 ") && Contains("another capture"));
  daemon.reset();
  waits.join();
  REQUIRE_THAT(answer, StartsWith("HTTP/1.1 200 "));
  const ChromeTrace trace = CheckChromeTrace(answer.substr(answer.find("\r\n\r\n") + 4));
  CHECK(trace.errors == std::vector<std::string>());
  CHECK(trace.flows > 0);
  std::map<std::string, int> processes;
  int streams = 0;
  for (const ChromeSlice& slice : trace.slices) {
    ++processes[slice.process];
    streams += slice.track.find(" stream ") != std::string::npos ? 1 : 0;
  }
  CHECK(processes["requests"] == 1);
  CHECK(processes["host steps"] > 0);
  CHECK(streams > 0);
}

// The tool's file is the same kind of picture, also of a time in which nothing happened.
TEST_CASE("A capture by way of the tool", "[trace]") {
  Repository repository;
  repository.AddText();
  TestDaemon daemon(repository);
  const int port = daemon.daemon().admin_http_port();
  const testing::Outcome outcome = testing::RunOmctl(
      "trace capture --seconds 0.1 -o capture.json --rest-url 127.0.0.1:" + std::to_string(port));
  INFO(outcome.err);
  CHECK(outcome.exit_code == 0);
  CHECK_THAT(outcome.out, StartsWith("capture.json: ") && Contains("perfetto"));
  CHECK(CheckChromeTrace(VALUE(ReadFile("capture.json"))).errors == std::vector<std::string>());
  CHECK_THAT(Get(port, "/v2/trace/capture?seconds=0"), StartsWith("HTTP/1.1 400 "));
  CHECK_THAT(Get(port, "/v2/trace/capture?seconds=x"), StartsWith("HTTP/1.1 400 "));
}

}  // namespace
}  // namespace omserve::server
