// SPDX-License-Identifier: Apache-2.0
// A collector of OpenTelemetry on loopback, that keeps what it is sent.
#pragma once

#include <grpcpp/grpcpp.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proto/opentelemetry/trace_service.grpc.pb.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"

namespace omserve::server {

class Collector final {
 public:
  using OtlpSpan = opentelemetry::proto::trace::v1::Span;

  Collector() : service_(*this) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
  }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;
  ~Collector() { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }

  // The next so many messages are answered with `failure`.
  void FailNext(int count, const grpc::Status& failure = {grpc::StatusCode::UNAVAILABLE, "later"}) {
    const MutexLock lock(mu_);
    failures_ = count;
    failure_ = failure;
  }

  // Waits until there are spans of that name; fails the test after a while.
  std::vector<OtlpSpan> Await(const std::string& name, size_t count) {
    const Clock::time_point until = SteadyClock().Now() + std::chrono::seconds(30);
    const MutexLock lock(mu_);
    while (Named(name).size() < count && SteadyClock().WaitUntil(changed_, mu_, until)) {
    }
    REQUIRE(Named(name).size() >= count);
    return Named(name);
  }
  // All spans of the trace, by their id's bytes.
  std::map<std::string, OtlpSpan> Trace(const std::string& trace_id) {
    std::map<std::string, OtlpSpan> found;
    const MutexLock lock(mu_);
    for (const OtlpSpan& span : spans_) {
      if (span.trace_id() == trace_id) {
        CHECK(found.emplace(span.span_id(), span).second);
      }
    }
    return found;
  }
  // Of the resource that was told last.
  std::map<std::string, std::string> Resource() {
    const MutexLock lock(mu_);
    return resource_;
  }
  size_t span_count() {
    const MutexLock lock(mu_);
    return spans_.size();
  }

 private:
  class Service final : public opentelemetry::proto::collector::trace::v1::TraceService::Service {
   public:
    explicit Service(Collector& collector) : collector_(collector) {}
    grpc::Status Export(
        grpc::ServerContext* /*context*/,
        const opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest* request,
        opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse* /*response*/)
        override {
      return collector_.Take(*request);
    }

   private:
    Collector& collector_;
  };

  grpc::Status Take(
      const opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest& request) {
    const MutexLock lock(mu_);
    if (failures_ > 0) {
      --failures_;
      return failure_;
    }
    for (const auto& of_resource : request.resource_spans()) {
      for (const auto& attribute : of_resource.resource().attributes()) {
        resource_[attribute.key()] = attribute.value().string_value();
      }
      for (const auto& of_scope : of_resource.scope_spans()) {
        spans_.insert(spans_.end(), of_scope.spans().begin(), of_scope.spans().end());
      }
    }
    changed_.NotifyAll();
    return grpc::Status::OK;
  }

  std::vector<OtlpSpan> Named(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    std::vector<OtlpSpan> named;
    for (const OtlpSpan& span : spans_) {
      if (span.name() == name) {
        named.push_back(span);
      }
    }
    return named;
  }

  Mutex mu_;
  CondVar changed_;
  int failures_ ABSL_GUARDED_BY(mu_) = 0;
  grpc::Status failure_ ABSL_GUARDED_BY(mu_);
  std::vector<OtlpSpan> spans_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::string> resource_ ABSL_GUARDED_BY(mu_);
  int port_ = 0;
  Service service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace omserve::server
