// SPDX-License-Identifier: Apache-2.0
// How loaded the daemon is, told with an answer to a client that asks, so that balancers learn it
// without scraping.
//
// Source: Open Request Cost Aggregation, whose headers are endpoint-load-metrics-format and
// endpoint-load-metrics.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace omserve::server {

// Names and values. What is not known is not there.
using LoadReport = std::vector<std::pair<std::string_view, double>>;

enum class LoadFormat { kText, kJson };
// "text" or "json", in any case; nullopt for anything else: then nothing is told.
std::optional<LoadFormat> ReadLoadFormat(std::string_view name);
// "TEXT named_metrics.NAME=VALUE, ..." or `JSON {"named_metrics":{"NAME":VALUE,...}}`. Pure.
std::string LoadText(const LoadReport& report, LoadFormat format);

}  // namespace omserve::server
