// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/hostacl/contract/probe.h"

#include <fmt/format.h>

#include <filesystem>

#include "runtime/base/errors.h"
#include "tests/runtime/hostacl/acl_session.h"
#include "tests/runtime/hostacl/contract/rows.h"
#include "tests/runtime/hostacl/model_files.h"

namespace omserve::hostacl {
namespace {

// Only the CPU device reads its object in aclInit's file, and refuses a key that it does not know.
bool IsHostAcl() {
  const std::string path = WriteTextFile("probe.json", R"({"hostacl": {"who_are_you": 1}})");
  if (ACL(aclInit)(path.c_str()) == ACL_ERROR_FILE_ATTR_INVALID) {
    return true;
  }
  ACL(aclFinalize)();
  return false;
}

std::string WhyNoModels() {
  const std::string& dir = Target().model_dir;
  if (dir.empty()) {
    return Target().is_hostacl ? "" : "there are no models: see --print-models and --model-dir";
  }
  for (const ModelSource& source : ModelSources()) {
    const std::filesystem::path path = std::filesystem::path(dir) / (source.name + ".om");
    if (!std::filesystem::exists(path)) {
      return fmt::format("there is no '{}': see --print-models", path.string());
    }
  }
  return "";
}

}  // namespace

absl::StatusOr<LibraryFacts> Probe(bool foreign) {
  LibraryFacts facts;
  ASSIGN_OR_RETURN(facts.file, OpenTarget());
  for (const ContractRow& row : ContractRows()) {
    if (!row.is_rule() && FindAclSymbol(std::string(row.name).c_str()) != nullptr) {
      facts.functions.emplace(row.name);
    }
  }
  for (const char* function :
       {"aclInit", "aclFinalize", "aclrtGetDeviceCount", "aclrtGetVersion"}) {
    if (!facts.functions.contains(function)) {
      return Unavailable("'{}' has no function {}", facts.file, function);
    }
  }
  facts.is_hostacl = !foreign && IsHostAcl();
  Target().is_hostacl = facts.is_hostacl;
  facts.models_missing = WhyNoModels();
  const aclError code = ACL(aclInit)(Target().config.c_str());
  if (code != ACL_SUCCESS) {
    return Unavailable("aclInit of '{}' gives {}: {}", facts.file, code, RecentError());
  }
  int32_t major = 0;
  int32_t minor = 0;
  int32_t patch = 0;
  if (ACL(aclrtGetVersion)(&major, &minor, &patch) == ACL_SUCCESS) {
    facts.version = fmt::format("{}.{}.{}", major, minor, patch);
  }
  if (facts.functions.contains("aclrtGetSocName")) {
    const char* name = ACL(aclrtGetSocName)();
    facts.soc_name = name == nullptr ? "" : name;
  }
  ACL(aclrtGetDeviceCount)(&facts.device_count);
  ACL(aclFinalize)();
  if (facts.device_count == 0) {
    return Unavailable("'{}' finds no device", facts.file);
  }
  return facts;
}

}  // namespace omserve::hostacl
