// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/verify.h"

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/version_folder.h"
#include "runtime/trust/bundle.h"
#include "runtime/trust/folder.h"
#include "runtime/trust/policy.h"
#include "runtime/trust/verifier.h"
#include "tools/omc/hash_progress.h"
#include "tools/omc/text_table.h"

namespace omserve::omc {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr size_t kMostPemBytes = size_t{4} << 20;

struct GoodVersion {
  int64_t version = 0;
  trust::SignedStatement found;
  size_t files = 0;
};

absl::StatusOr<trust::TrustRoots> ReadRoots(const VerifyOptions& options) {
  trust::TrustRoots::Texts texts;
  const std::string& path = options.ca_path.empty() ? options.public_key_path : options.ca_path;
  ASSIGN_OR_RETURN(std::string pem, ReadFile(path, kMostPemBytes));
  (options.ca_path.empty() ? texts.public_keys : texts.certificates) = std::move(pem);
  absl::StatusOr<trust::TrustRoots> roots = trust::TrustRoots::Create(texts);
  RETURN_IF_ERROR(WithContext(roots.status(), fmt::format("'{}'", path)));
  return roots;
}

absl::StatusOr<std::vector<int64_t>> VersionsOf(const VerifyOptions& options) {
  if (options.version.has_value()) {
    return std::vector<int64_t>{*options.version};
  }
  std::vector<int64_t> versions;
  std::error_code error;
  fs::directory_iterator entry(options.model_folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    const auto version = VersionOfFolder(entry->path().filename().string());
    if (version.has_value() && entry->is_directory(ignored)) {
      versions.push_back(*version);
    }
  }
  if (error || versions.empty()) {
    return NotFound("'{}': {}; expected a model's folder with a folder for each version",
                    options.model_folder, error ? error.message() : "no version in it");
  }
  std::sort(versions.begin(), versions.end());
  return versions;
}

absl::StatusOr<GoodVersion> VerifyVersion(const VerifyOptions& options,
                                          const trust::TrustRoots& roots,
                                          std::chrono::system_clock::time_point now,
                                          int64_t version) {
  GoodVersion good;
  good.version = version;
  const std::string path =
      options.signature_path.empty()
          ? (fs::path(options.model_folder) / trust::BundleNameOf(version)).string()
          : options.signature_path;
  absl::StatusOr<std::string> bundle = ReadFile(path, trust::kMostBundleBytes);
  if (absl::IsNotFound(bundle.status())) {
    return NotFound("not signed: '{}' is missing; omc sign makes it", path);
  }
  RETURN_IF_ERROR(bundle.status());
  ASSIGN_OR_RETURN(good.found, trust::VerifyBundle(*bundle, roots, now));
  trust::TrustPolicy policy;
  if (!options.identity.empty()) {
    policy.signers.push_back({.identity = options.identity, .key_fingerprint = "", .models = {}});
  }
  ASSIGN_OR_RETURN(const std::string model, trust::ModelNameOf(options.model_folder));
  RETURN_IF_ERROR(trust::CheckMaySign(policy, good.found, model, version));
  HashProgress progress(fmt::format("version {}", version));
  RETURN_IF_ERROR(trust::CheckFolder(
      {.model_folder = options.model_folder,
       .version = version,
       .threads = options.threads,
       .progress = [&progress](uint64_t done, uint64_t total) { progress.Tell(done, total); }},
      good.found.statement));
  std::set<std::string_view> names;
  for (const trust::Resource& resource : good.found.statement.resources) {
    names.insert(resource.name);
  }
  good.files = names.size();
  return good;
}

std::string EpochText(const trust::Statement& statement) {
  return statement.security_epoch.has_value() ? fmt::format("{}", *statement.security_epoch) : "-";
}

std::string ShowTable(const std::vector<GoodVersion>& versions) {
  TextTable table({"VERSION", "STATE", "FILES", "EPOCH", "SIGNED BY"});
  for (const GoodVersion& good : versions) {
    table.Add({fmt::format("{}", good.version), "good", fmt::format("{}", good.files),
               EpochText(good.found.statement), good.found.signer.Text()});
  }
  return table.Show();
}

std::string ShowJson(const std::vector<GoodVersion>& versions) {
  json::array rows;
  for (const GoodVersion& good : versions) {
    const trust::Statement& statement = good.found.statement;
    json::array identities;
    for (const std::string& identity : good.found.signer.identities) {
      identities.emplace_back(json::string(identity));
    }
    rows.push_back(
        json::object{{"version", good.version},
                     {"files", good.files},
                     {"security_epoch", statement.security_epoch.has_value()
                                            ? json::value(*statement.security_epoch)
                                            : json::value(nullptr)},
                     {"identities", std::move(identities)},
                     {"key_fingerprint", json::string(good.found.signer.key_fingerprint)}});
  }
  return json::serialize(
             json::object{{"model", json::string(versions.front().found.statement.model)},
                          {"versions", std::move(rows)}}) +
         "\n";
}

}  // namespace

absl::StatusOr<std::string> VerifyFolder(const VerifyOptions& options,
                                         std::chrono::system_clock::time_point now) {
  ASSIGN_OR_RETURN(const trust::TrustRoots roots, ReadRoots(options));
  ASSIGN_OR_RETURN(const std::vector<int64_t> versions, VersionsOf(options));
  std::vector<GoodVersion> good;
  for (const int64_t version : versions) {
    absl::StatusOr<GoodVersion> one = VerifyVersion(options, roots, now, version);
    RETURN_IF_ERROR(WithContext(one.status(), fmt::format("version {}", version)));
    good.push_back(*std::move(one));
  }
  return options.as_json ? ShowJson(good) : ShowTable(good);
}

}  // namespace omserve::omc
