// SPDX-License-Identifier: Apache-2.0
#include "server/core/exposition_protobuf.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/delimited_message_util.h>

#include "proto/prometheus/metrics.pb.h"

namespace omserve::server {
namespace {

namespace client = io::prometheus::client;
using prometheus::MetricType;

client::MetricType TypeOf(MetricType type) {
  switch (type) {
    case MetricType::Counter:
      return client::COUNTER;
    case MetricType::Gauge:
      return client::GAUGE;
    case MetricType::Summary:
      return client::SUMMARY;
    case MetricType::Histogram:
      return client::HISTOGRAM;
    default:
      return client::UNTYPED;
  }
}

// Spans of buckets that are not empty, and the differences of their counts.
void AddNative(const ExponentialHistogram& from, client::Histogram& into) {
  into.set_schema(ExponentialHistogram::kSchema);
  into.set_zero_threshold(ExponentialHistogram::kZeroSeconds);
  into.set_zero_count(from.zero_count);
  client::BucketSpan* span = nullptr;
  int next = 0;  // The index after the last span.
  uint64_t last = 0;
  for (size_t i = 0; i < from.buckets.size(); ++i) {
    const int index = static_cast<int>(i) + ExponentialHistogram::kFirst;
    if (from.buckets[i] == 0) {
      continue;
    }
    if (span == nullptr || index != next) {
      span = into.add_positive_span();
      span->set_offset(index - next);
    }
    span->set_length(span->length() + 1);
    into.add_positive_delta(static_cast<int64_t>(from.buckets[i] - last));
    last = from.buckets[i];
    next = index + 1;
  }
  if (into.positive_span().empty()) {
    into.add_positive_span();  // Tells a native histogram without observations from a classic one.
  }
}

void AddExemplar(const DurationHistogram::Exemplar& from, client::Bucket& bucket) {
  if (from.trace_id.empty()) {
    return;
  }
  client::Exemplar& exemplar = *bucket.mutable_exemplar();
  client::LabelPair& label = *exemplar.add_label();
  label.set_name("trace_id");
  label.set_value(from.trace_id);
  exemplar.set_value(static_cast<double>(from.ns) / 1e9);
  exemplar.mutable_timestamp()->set_seconds(static_cast<int64_t>(from.time_ms / 1000));
  exemplar.mutable_timestamp()->set_nanos(static_cast<int32_t>(from.time_ms % 1000 * 1'000'000));
}

void AddHistogram(const prometheus::ClientMetric::Histogram& from, const DurationHistogram* more,
                  client::Histogram& into) {
  into.set_sample_count(from.sample_count);
  into.set_sample_sum(from.sample_sum);
  for (size_t i = 0; i < from.bucket.size(); ++i) {
    client::Bucket& bucket = *into.add_bucket();
    bucket.set_cumulative_count(from.bucket[i].cumulative_count);
    bucket.set_upper_bound(from.bucket[i].upper_bound);
    if (more != nullptr) {
      AddExemplar(more->exemplars[i], bucket);
    }
  }
  if (more != nullptr) {
    AddNative(more->exponential, into);
  }
}

void AddMetric(MetricType type, const prometheus::ClientMetric& from, const DurationHistogram* more,
               client::Metric& into) {
  for (const prometheus::ClientMetric::Label& label : from.label) {
    client::LabelPair& pair = *into.add_label();
    pair.set_name(label.name);
    pair.set_value(label.value);
  }
  switch (type) {
    case MetricType::Counter:
      into.mutable_counter()->set_value(from.counter.value);
      break;
    case MetricType::Summary:
      into.mutable_summary()->set_sample_count(from.summary.sample_count);
      into.mutable_summary()->set_sample_sum(from.summary.sample_sum);
      for (const prometheus::ClientMetric::Quantile& quantile : from.summary.quantile) {
        client::Quantile& pair = *into.mutable_summary()->add_quantile();
        pair.set_quantile(quantile.quantile);
        pair.set_value(quantile.value);
      }
      break;
    case MetricType::Histogram:
      AddHistogram(from.histogram, more, *into.mutable_histogram());
      break;
    default:
      into.mutable_gauge()->set_value(from.gauge.value);
      break;
  }
}

}  // namespace

std::string ProtobufExposition(const Exposition& exposition) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  for (const prometheus::MetricFamily& family : exposition.families) {
    client::MetricFamily message;
    message.set_name(family.name);
    message.set_help(family.help);
    message.set_type(TypeOf(family.type));
    const bool has_more = family.name == exposition.histogram_family;
    for (size_t i = 0; i < family.metric.size(); ++i) {
      AddMetric(family.type, family.metric[i], has_more ? &exposition.histograms[i] : nullptr,
                *message.add_metric());
    }
    google::protobuf::util::SerializeDelimitedToZeroCopyStream(message, &stream);
  }
  return bytes;
}

}  // namespace omserve::server
