// SPDX-License-Identifier: Apache-2.0
#include "server/core/metric_tags.h"

#include <map>
#include <string>
#include <utility>

#include "server/core/metric_family.h"

namespace omserve::server {
namespace {

// Empty where there is no such label.
std::string ValueOf(const Labels& labels, const char* name) {
  for (const prometheus::ClientMetric::Label& label : labels) {
    if (label.name == name) {
      return label.value;
    }
  }
  return "";
}

}  // namespace

void AddMetricTags(const std::vector<CatalogEntry>& entries,
                   std::vector<prometheus::MetricFamily>& families) {
  std::map<std::pair<std::string, std::string>, Labels> tags;  // By name and version.
  for (const CatalogEntry& entry : entries) {
    if (entry.model == nullptr) {
      continue;
    }
    // In one order, whatever the map's.
    const std::map<std::string, std::string> sorted(entry.model->config.metric_tags().begin(),
                                                    entry.model->config.metric_tags().end());
    for (const auto& [name, value] : sorted) {
      tags[{entry.name, std::to_string(entry.version)}].push_back({name, value});
    }
  }
  if (tags.empty()) {
    return;
  }
  for (prometheus::MetricFamily& family : families) {
    for (prometheus::ClientMetric& metric : family.metric) {
      const auto found =
          tags.find({ValueOf(metric.label, "model"), ValueOf(metric.label, "version")});
      if (found != tags.end()) {
        for (const prometheus::ClientMetric::Label& tag : found->second) {
          if (ValueOf(metric.label, tag.name.c_str()).empty()) {  // Twice would spoil the scrape.
            metric.label.push_back(tag);
          }
        }
      }
    }
  }
}

}  // namespace omserve::server
