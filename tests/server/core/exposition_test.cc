// SPDX-License-Identifier: Apache-2.0
#include "server/core/exposition.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/delimited_message_util.h>

#include <catch2/catch.hpp>

#include "proto/prometheus/metrics.pb.h"
#include "server/core/metric_family.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using prometheus::MetricType;
namespace client = io::prometheus::client;

constexpr char kTrace[] = "0af7651916cd43dd8448eb211c80319c";

// A counter of each kind, a gauge, and a histogram with a traced request of 3 ms among three.
Exposition Some() {
  Exposition some;
  const auto add = [&some](MetricType type, const char* name) {
    Family family(type, name, "What \"it\" is");
    family.Add({{"model", "m\"1\""}}, 7);
    some.families.push_back(family.Take());
  };
  add(MetricType::Counter, "nv_inference_count");
  add(MetricType::Counter, "omserve_things_total");
  add(MetricType::Gauge, "omserve_rows");
  DurationHistogram histogram;
  histogram.Record(std::chrono::milliseconds(3), kTrace, 1'700'000'000'123);
  histogram.Record(std::chrono::microseconds(40));
  histogram.Record(std::chrono::hours(1));
  std::array<double, DurationHistogram::kBoundsUs.size()> bounds{};
  for (size_t i = 0; i < bounds.size(); ++i) {
    bounds[i] = static_cast<double>(DurationHistogram::kBoundsUs[i]) / 1e6;
  }
  Family family(MetricType::Histogram, "omserve_seconds", "Times");
  family.AddHistogram({{"model", "m"}}, bounds, histogram.buckets, 3600);
  some.families.push_back(family.Take());
  some.histogram_family = "omserve_seconds";
  some.histograms = {histogram};
  return some;
}

// By what a scraper asks for; one that does not say gets what all can read.
TEST_CASE("The format of metrics is the scraper's", "[metrics]") {
  CHECK(FormatFor("") == MetricsFormat::kText);
  CHECK(FormatFor("*/*") == MetricsFormat::kText);
  CHECK(FormatFor("application/openmetrics-text;version=1.0.0,text/plain;q=0.5") ==
        MetricsFormat::kOpenMetrics);
  CHECK(FormatFor("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
                  "encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8") ==
        MetricsFormat::kProtobuf);
}

// The samples are those of the text format; the exemplar stands behind its bucket.
TEST_CASE("OpenMetrics", "[metrics]") {
  const std::string plain = Render(Some(), MetricsFormat::kText);
  const std::string text = Render(Some(), MetricsFormat::kOpenMetrics);
  CHECK_THAT(text, Contains("# HELP nv_inference_count What \\\"it\\\" is\n"
                            "# TYPE nv_inference_count unknown\n"
                            "nv_inference_count{model=\"m\\\"1\\\"\"} 7\n"));
  CHECK_THAT(text, Contains("# TYPE omserve_things counter\n"
                            "omserve_things_total{model=\"m\\\"1\\\"\"} 7\n"));
  CHECK_THAT(text, Contains("# TYPE omserve_rows gauge\n"));
  CHECK_THAT(text, Contains("le=\"0.005\"} 2 # {trace_id=\"" + std::string(kTrace) +
                            "\"} 0.003 1700000000.123\n"));
  CHECK_THAT(text, EndsWith("# EOF\n"));
  CHECK(text.find("\n\n") == std::string::npos);
  size_t samples = 0;
  for (size_t at = 0; at < plain.size();) {
    const size_t end = plain.find('\n', at);
    const std::string line = plain.substr(at, end - at);
    at = end + 1;
    if (!line.empty() && line[0] != '#') {
      ++samples;
      CHECK_THAT(text, Contains("\n" + line));
    }
  }
  CHECK(samples > DurationHistogram::kBoundsUs.size());
}

// What comes back is what was counted: spans and differences give each bucket.
TEST_CASE("Prometheus' protobuf", "[metrics]") {
  const std::string bytes = Render(Some(), MetricsFormat::kProtobuf);
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  std::vector<client::MetricFamily> families;
  bool at_end = false;
  client::MetricFamily family;
  while (google::protobuf::util::ParseDelimitedFromZeroCopyStream(&family, &stream, &at_end)) {
    families.push_back(family);
    family.Clear();
  }
  REQUIRE(at_end);
  REQUIRE(families.size() == 4);
  CHECK(families[0].name() == "nv_inference_count");
  CHECK(families[0].type() == client::COUNTER);
  CHECK(families[0].metric(0).counter().value() == 7);
  CHECK(families[2].metric(0).gauge().value() == 7);
  CHECK(families[2].metric(0).label(0).value() == "m\"1\"");
  const client::Histogram& histogram = families[3].metric(0).histogram();
  CHECK(histogram.sample_count() == 3);
  CHECK(histogram.schema() == 3);
  int index = 0;
  int delta = 0;
  int64_t in_bucket = 0;
  std::map<int, int64_t> counts;
  for (const client::BucketSpan& span : histogram.positive_span()) {
    index += span.offset();
    for (uint32_t i = 0; i < span.length(); ++i, ++index) {
      in_bucket += histogram.positive_delta(delta++);
      counts[index] = in_bucket;
    }
  }
  CHECK(delta == histogram.positive_delta_size());
  // 40 us, 3 ms and an hour: log2 of the seconds, times eight, rounded up.
  CHECK(counts == std::map<int, int64_t>{{-116, 1}, {-67, 1}, {ExponentialHistogram::kLast, 1}});
  int exemplars = 0;
  for (const client::Bucket& bucket : histogram.bucket()) {
    if (bucket.has_exemplar()) {
      ++exemplars;
      CHECK(bucket.upper_bound() == 0.005);
      CHECK(bucket.exemplar().label(0).name() == "trace_id");
      CHECK(bucket.exemplar().label(0).value() == kTrace);
      CHECK(bucket.exemplar().value() == 0.003);
      CHECK(bucket.exemplar().timestamp().seconds() == 1'700'000'000);
    }
  }
  CHECK(exemplars == 1);
}

}  // namespace
}  // namespace omserve::server
