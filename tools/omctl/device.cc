// SPDX-License-Identifier: Apache-2.0
// `omctl device`: the AscendCL library and the devices of this machine, as omserved would find
// them.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/server_config.h"
#include "runtime/acl/probe.h"
#include "runtime/acl/symbols.h"
#include "runtime/base/status_macros.h"
#include "server/device_settings.h"
#include "tools/client/table.h"
#include "tools/omctl/commands.h"

namespace omserve::omctl {
namespace {

namespace json = boost::json;
using Row = std::vector<std::string>;

struct SymbolCounts {
  size_t strict = 0;
  size_t later = 0;
  size_t later_found = 0;
};

SymbolCounts CountSymbols(const acl::Symbols& symbols) {
  SymbolCounts counts;
  for (const acl::SymbolRow& row : acl::SymbolRows()) {
    counts.strict += row.is_strict ? 1U : 0U;
    counts.later += row.is_strict ? 0U : 1U;
    counts.later_found += !row.is_strict && row.is_found(symbols) ? 1U : 0U;
  }
  return counts;
}

std::string_view KindOf(const acl::Runtime& runtime) {
  if (runtime.soc_name().empty()) {
    return "unknown";  // A library that names no chip: CANN before 5.0.2, or a driver in trouble.
  }
  return runtime.is_host() ? "CPU device" : "CANN";
}

std::string StateOf(const acl::DeviceProbe& probe) {
  if (!probe.status.ok()) {
    return std::string(MessageOf(probe.status));
  }
  if (!probe.is_normal.has_value()) {
    return "open";  // More is not said before CANN 7.0.
  }
  return *probe.is_normal ? "normal" : "abnormal";
}

std::string MebibytesText(size_t bytes) { return fmt::format("{} MiB", bytes >> 20U); }

void PrintText(const acl::Runtime& runtime, const std::vector<acl::DeviceProbe>& probes,
               bool all_symbols) {
  const SymbolCounts counts = CountSymbols(runtime.symbols());
  const auto line = [](std::string_view name, const std::string& value) {
    fmt::print("{:<10} {}\n", name, value);
  };
  line("library", runtime.library());
  line("kind", std::string(KindOf(runtime)));
  line("API", runtime.version());
  line("chip", runtime.soc_name().empty() ? "not told" : runtime.soc_name());
  line("run mode", std::string(acl::RunModeName(runtime)));
  line("functions", fmt::format("{} of {} needed, {} of {} later ones", counts.strict,
                                counts.strict, counts.later_found, counts.later));
  if (!runtime.passed_over().empty()) {
    line("not used", runtime.passed_over());
  }
  line("devices", std::to_string(probes.size()));
  if (!probes.empty()) {
    std::vector<Row> table = {{"DEVICE", "FREE", "TOTAL", "AI CORES", "STATE"}};
    for (const acl::DeviceProbe& probe : probes) {
      const bool open = probe.status.ok();
      table.push_back(
          {std::to_string(probe.id), open ? MebibytesText(probe.memory.free_bytes) : "-",
           open ? MebibytesText(probe.memory.total_bytes) : "-",
           probe.utilization_percent ? fmt::format("{}%", *probe.utilization_percent) : "-",
           StateOf(probe)});
    }
    fmt::print("\n{}", client::FormatTable(table));
  }
  std::vector<Row> table = {{"FUNCTION", "SINCE CANN", "FOUND", "WITHOUT IT"}};
  for (const acl::SymbolRow& row : acl::SymbolRows()) {
    const bool found = row.is_found(runtime.symbols());
    if (all_symbols || !found) {
      table.push_back({std::string(row.name), std::string(row.since), found ? "yes" : "no",
                       std::string(row.is_strict ? "(needed)" : row.fallback)});
    }
  }
  if (table.size() > 1) {
    fmt::print("\n{}", client::FormatTable(table));
  }
}

json::object DeviceJson(const acl::DeviceProbe& probe) {
  json::object object{{"id", probe.id}};
  if (!probe.status.ok()) {
    object["error"] = std::string(MessageOf(probe.status));
    return object;
  }
  object["free_bytes"] = probe.memory.free_bytes;
  object["total_bytes"] = probe.memory.total_bytes;
  object["state"] = StateOf(probe);
  if (probe.utilization_percent) {
    object["ai_core_percent"] = *probe.utilization_percent;
  }
  return object;
}

void PrintJson(const acl::Runtime& runtime, const std::vector<acl::DeviceProbe>& probes,
               bool all_symbols) {
  json::array devices;
  for (const acl::DeviceProbe& probe : probes) {
    devices.push_back(DeviceJson(probe));
  }
  json::array functions;
  for (const acl::SymbolRow& row : acl::SymbolRows()) {
    const bool found = row.is_found(runtime.symbols());
    if (all_symbols || !found) {
      functions.push_back(json::object{{"name", row.name},
                                       {"since", row.since},
                                       {"needed", row.is_strict},
                                       {"found", found},
                                       {"fallback", row.fallback}});
    }
  }
  const SymbolCounts counts = CountSymbols(runtime.symbols());
  json::object object{{"library", runtime.library()},
                      {"kind", KindOf(runtime)},
                      {"api_version", runtime.version()},
                      {"soc_name", runtime.soc_name()},
                      {"run_mode", acl::RunModeName(runtime)},
                      {"devices", std::move(devices)},
                      {"needed_functions", counts.strict},
                      {"later_functions", counts.later},
                      {"later_functions_found", counts.later_found},
                      {all_symbols ? "functions" : "missing_functions", std::move(functions)}};
  if (!runtime.passed_over().empty()) {
    object["passed_over"] = runtime.passed_over();
  }
  fmt::print("{}\n", json::serialize(object));
}

}  // namespace

absl::Status Device(const CommonOptions& common, const DeviceCommand& command) {
  DeviceConfig config;
  if (!command.config.empty()) {
    ASSIGN_OR_RETURN(config::LoadedServerConfig loaded, config::LoadServerConfig(command.config));
    config = std::move(*loaded.config.mutable_device());
  }
  if (!command.library.empty()) {
    config.set_library(command.library);
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<acl::Runtime> runtime, server::OpenRuntime(config));
  const std::vector<acl::DeviceProbe> probes = acl::ProbeDevices(*runtime);
  if (common.json) {
    PrintJson(*runtime, probes, command.symbols);
  } else {
    PrintText(*runtime, probes, command.symbols);
  }
  // What there is has been printed; a device that does not open is a failure all the same.
  for (const acl::DeviceProbe& probe : probes) {
    RETURN_IF_ERROR(probe.status);
  }
  return probes.empty() ? runtime->OpenDevice(0).status() : absl::OkStatus();
}

}  // namespace omserve::omctl
