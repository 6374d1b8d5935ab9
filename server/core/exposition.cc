// SPDX-License-Identifier: Apache-2.0
#include "server/core/exposition.h"

#include <fmt/format.h>
#include <prometheus/text_serializer.h>

#include <sstream>
#include <utility>

#include "server/core/exposition_protobuf.h"

namespace omserve::server {
namespace {

using prometheus::MetricType;

constexpr std::string_view kTotal = "_total";

std::string Escaped(std::string_view help) {
  std::string escaped;
  for (const char letter : help) {
    if (letter == '\\' || letter == '"') {
      escaped += '\\';
    }
    escaped += letter == '\n' ? ' ' : letter;
  }
  return escaped;
}

std::string_view TypeName(const prometheus::MetricFamily& family) {
  switch (family.type) {
    case MetricType::Counter:
      // Others are not counters to OpenMetrics, whatever dashboards call them.
      return family.name.ends_with(kTotal) ? "counter" : "unknown";
    case MetricType::Gauge:
      return "gauge";
    case MetricType::Histogram:
      return "histogram";
    case MetricType::Summary:
      return "summary";
    default:
      return "unknown";
  }
}

std::string PlainText(std::vector<prometheus::MetricFamily> families) {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return std::move(text).str();
}

// " # {trace_id="..."} 0.0123 1700000000.123", or nothing.
std::string ExemplarText(const DurationHistogram::Exemplar& exemplar) {
  return exemplar.trace_id.empty() ? std::string()
                                   : fmt::format(" # {{trace_id=\"{}\"}} {} {}", exemplar.trace_id,
                                                 static_cast<double>(exemplar.ns) / 1e9,
                                                 static_cast<double>(exemplar.time_ms) / 1e3);
}

// The samples of a family as in the plain text, so that series are the same in both formats, with
// exemplars behind the buckets of `histograms`.
std::string Samples(const prometheus::MetricFamily& family,
                    const std::vector<DurationHistogram>& histograms) {
  std::string samples;
  const std::string text = PlainText({family});
  size_t metric = 0;
  size_t bucket = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    if (line.empty() || line.starts_with('#')) {
      continue;
    }
    samples += line;
    if (!histograms.empty() && line.starts_with(family.name + "_bucket")) {
      samples += ExemplarText(histograms[metric].exemplars[bucket]);
      if (++bucket == histograms[metric].exemplars.size()) {
        bucket = 0;
        ++metric;
      }
    }
    samples += '\n';
  }
  return samples;
}

std::string OpenMetrics(const Exposition& exposition) {
  std::string text;
  for (const prometheus::MetricFamily& family : exposition.families) {
    const std::string_view type = TypeName(family);
    std::string_view name = family.name;
    if (type == "counter") {
      name.remove_suffix(kTotal.size());
    }
    text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, Escaped(family.help), name, type);
    static const std::vector<DurationHistogram> none;
    text +=
        Samples(family, family.name == exposition.histogram_family ? exposition.histograms : none);
  }
  return text + "# EOF\n";
}

}  // namespace

MetricsFormat FormatFor(std::string_view accept) {
  if (accept.find("io.prometheus.client.MetricFamily") != std::string_view::npos) {
    return MetricsFormat::kProtobuf;
  }
  return accept.find("application/openmetrics-text") != std::string_view::npos
             ? MetricsFormat::kOpenMetrics
             : MetricsFormat::kText;
}

std::string_view ContentTypeOf(MetricsFormat format) {
  switch (format) {
    case MetricsFormat::kText:
      return "text/plain; version=0.0.4; charset=utf-8";
    case MetricsFormat::kOpenMetrics:
      return "application/openmetrics-text; version=1.0.0; charset=utf-8";
    case MetricsFormat::kProtobuf:
      return "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
             "encoding=delimited";
  }
  return "";
}

std::string Render(const Exposition& exposition, MetricsFormat format) {
  switch (format) {
    case MetricsFormat::kText:
      return PlainText(exposition.families);
    case MetricsFormat::kOpenMetrics:
      return OpenMetrics(exposition);
    case MetricsFormat::kProtobuf:
      return ProtobufExposition(exposition);
  }
  return "";
}

}  // namespace omserve::server
