// SPDX-License-Identifier: Apache-2.0
// `omctl device errors`: what AscendCL's codes mean, on the terminal, as JSON, and as the page
// docs/device-errors.md.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <string>
#include <vector>

#include "runtime/acl/error_table.h"
#include "runtime/base/errors.h"
#include "tools/client/table.h"
#include "tools/omctl/commands.h"

namespace omserve::omctl {
namespace {

namespace json = boost::json;
using acl::ErrorClass;
using acl::ErrorInfo;
using Row = std::vector<std::string>;

std::string StatusName(const ErrorInfo& info) { return absl::StatusCodeToString(info.status_code); }

json::object ErrorJson(int code, const ErrorInfo& info) {
  return json::object{{"code", code},
                      {"name", info.name},
                      {"cause", info.cause},
                      {"class", acl::ErrorClassName(info.error_class)},
                      {"status", StatusName(info)},
                      {"retry", acl::RetryName(info.retry)},
                      {"advice", info.advice},
                      {"device_unusable", info.device_unusable},
                      {"refuses_model", info.refuses_model},
                      {"listed", info.code != acl::kUnlistedCode}};
}

void PrintOne(int code, const ErrorInfo& info) {
  fmt::print("{} {}\n", code, info.name);
  const auto line = [](std::string_view name, std::string_view value) {
    fmt::print("  {:<7} {}\n", name, value);
  };
  line("cause", info.cause);
  line("class", acl::ErrorClassName(info.error_class));
  line("status",
       StatusName(info) + (info.refuses_model ? "; INVALID_ARGUMENT while a model is loaded" : ""));
  line("retry", acl::RetryName(info.retry));
  if (!info.advice.empty()) {
    line("advice", info.advice);
  }
}

void PrintTable(const std::vector<const ErrorInfo*>& infos) {
  std::vector<Row> table = {{"CODE", "NAME", "STATUS", "RETRY", "CAUSE"}};
  for (const ErrorInfo* info : infos) {
    table.push_back({std::to_string(info->code), std::string(info->name), StatusName(*info),
                     std::string(acl::RetryName(info->retry)), std::string(info->cause)});
  }
  fmt::print("{}", client::FormatTable(table));
}

std::string Heading(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kCaller:
      return "1xxxxx: the call was wrong";
    case ErrorClass::kResource:
      return "2xxxxx: something is used up or missing";
    case ErrorClass::kBusiness:
      return "3xxxxx: a service refused";
    case ErrorClass::kDevice:
      return "5xxxxx: an internal or device fault";
    case ErrorClass::kNone:
    case ErrorClass::kUnknown:
      break;
  }
  return "";
}

constexpr char kPageStart[] = R"md(# Device errors

What AscendCL's codes mean in an answer of omserve, in its log, and to `omctl device errors CODE`.
This page is made by `omctl device errors --markdown` from `runtime/acl/error_table.cc`; change it
there. What gRPC's codes mean to a client stands in [errors.md](errors.md).

* **status**: the gRPC code of the answer; a second one counts while a model is loaded, when it is
  the file that is refused.
* **retry**: whether the same request can succeed. *later*: as it is. *after reset*: not before the
  device is reset, since its context does no more work after this code.

A code that is not here has the status of its class: INTERNAL, but RESOURCE_EXHAUSTED for 2xxxxx.
)md";

std::string_view ShortRetry(acl::Retry retry) {
  switch (retry) {
    case acl::Retry::kNever:
      return "no";
    case acl::Retry::kLater:
      return "later";
    case acl::Retry::kAfterReset:
      break;
  }
  return "after reset";
}

void PrintMarkdown() {
  fmt::print("{}", kPageStart);
  ErrorClass last = ErrorClass::kNone;
  for (const ErrorInfo& info : acl::ErrorTable()) {
    if (info.error_class == ErrorClass::kNone) {
      continue;
    }
    if (info.error_class != last) {
      last = info.error_class;
      fmt::print(
          "\n## {}\n\n| code | name | cause | status | retry | what to do |\n"
          "|---|---|---|---|---|---|\n",
          Heading(last));
    }
    fmt::print("| {} | {} | {} | {}{} | {} | {} |\n", info.code, info.name, info.cause,
               StatusName(info), info.refuses_model ? ", INVALID_ARGUMENT" : "",
               ShortRetry(info.retry), info.advice);
  }
}

// The rows whose name contains `text`; all for "".
std::vector<const ErrorInfo*> RowsNamed(const std::string& text) {
  std::vector<const ErrorInfo*> infos;
  for (const ErrorInfo& info : acl::ErrorTable()) {
    if (info.name.find(text) != std::string_view::npos) {
      infos.push_back(&info);
    }
  }
  return infos;
}

}  // namespace

absl::Status DeviceErrors(const CommonOptions& common, const DeviceErrorsCommand& command) {
  if (command.markdown) {
    PrintMarkdown();
    return absl::OkStatus();
  }
  int code = 0;
  const char* end = command.code.data() + command.code.size();
  const auto [rest, error] = std::from_chars(command.code.data(), end, code);
  if (!command.code.empty() && error == std::errc() && rest == end) {
    const ErrorInfo& info = acl::DescribeError(code);
    if (common.json) {
      fmt::print("{}\n", json::serialize(ErrorJson(code, info)));
    } else {
      PrintOne(code, info);
    }
    return absl::OkStatus();
  }
  const std::vector<const ErrorInfo*> infos = RowsNamed(command.code);
  if (infos.empty()) {
    return NotFound(
        "'{}' is neither a number nor part of the name of a code; `omctl device "
        "errors` lists all",
        command.code);
  }
  if (common.json) {
    json::array array;
    for (const ErrorInfo* info : infos) {
      array.push_back(ErrorJson(info->code, *info));
    }
    fmt::print("{}\n", json::serialize(array));
  } else if (infos.size() == 1) {
    PrintOne(infos.front()->code, *infos.front());
  } else {
    PrintTable(infos);
  }
  return absl::OkStatus();
}

}  // namespace omserve::omctl
