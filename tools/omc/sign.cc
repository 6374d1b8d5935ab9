// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/sign.h"

#include <openssl/crypto.h>

#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/trust/certificates.h"
#include "runtime/trust/folder.h"
#include "runtime/trust/keys.h"
#include "runtime/trust/signer.h"
#include "tools/omc/hash_progress.h"
#include "tools/omc/text_table.h"

namespace omserve::omc {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostPemBytes = size_t{1} << 20;

absl::StatusOr<trust::PrivateKey> ReadKey(const std::string& path) {
  ASSIGN_OR_RETURN(std::string pem, ReadFile(path, kMostPemBytes));
  absl::StatusOr<trust::PrivateKey> key = trust::PrivateKey::FromPem(pem);
  OPENSSL_cleanse(pem.data(), pem.size());
  RETURN_IF_ERROR(WithContext(key.status(), fmt::format("'{}'", path)));
  return key;
}

absl::StatusOr<std::vector<std::string>> ReadChain(const std::string& path) {
  if (path.empty()) {
    return std::vector<std::string>();
  }
  ASSIGN_OR_RETURN(const std::string pem, ReadFile(path, kMostPemBytes));
  absl::StatusOr<std::vector<std::string>> chain =
      trust::CertificatesFromPem(pem, trust::kMostChainLength);
  RETURN_IF_ERROR(WithContext(chain.status(), fmt::format("'{}'", path)));
  return chain;
}

// A bundle in the model's folder under another name would be a file that no signature covers.
absl::StatusOr<std::string> OutputPath(const SignOptions& options) {
  const fs::path usual = fs::path(options.model_folder) / trust::BundleNameOf(options.version);
  if (options.output_path.empty()) {
    return usual.string();
  }
  std::error_code error;
  const fs::path root = fs::weakly_canonical(options.model_folder, error);
  const fs::path output = fs::weakly_canonical(options.output_path, error);
  const fs::path relative = output.lexically_relative(root);
  if (!relative.empty() && *relative.begin() != ".." &&
      relative != trust::BundleNameOf(options.version)) {
    return InvalidArgument(
        "'{}': lies in the model's folder, where only {} is no part of the model; write it "
        "elsewhere",
        options.output_path, trust::BundleNameOf(options.version));
  }
  return options.output_path;
}

size_t FileCount(const trust::Statement& statement) {
  std::set<std::string_view> names;
  for (const trust::Resource& resource : statement.resources) {
    names.insert(resource.name);
  }
  return names.size();
}

}  // namespace

absl::StatusOr<std::string> SignFolder(const SignOptions& options) {
  // What is quick to refuse comes before gigabytes are read.
  ASSIGN_OR_RETURN(const trust::PrivateKey key, ReadKey(options.key_path));
  ASSIGN_OR_RETURN(const std::vector<std::string> chain, ReadChain(options.certificate_path));
  ASSIGN_OR_RETURN(const std::string output, OutputPath(options));
  HashProgress progress("signing");
  ASSIGN_OR_RETURN(
      const trust::Statement statement,
      trust::DescribeFolder(
          {.model_folder = options.model_folder,
           .version = options.version,
           .threads = options.threads,
           .progress = [&progress](uint64_t done, uint64_t total) { progress.Tell(done, total); }},
          options.shard_bytes, options.security_epoch));
  ASSIGN_OR_RETURN(const std::string bundle, trust::SignStatement(statement, key, chain));
  RETURN_IF_ERROR(WriteFileAtomically(output, bundle));
  FactList facts;
  facts.Add("signature", output);
  facts.Add("model", fmt::format("{}, version {}", statement.model, options.version));
  facts.Add("epoch",
            options.security_epoch.has_value() ? fmt::format("{}", *options.security_epoch) : "");
  facts.Add("files", fmt::format("{}", FileCount(statement)));
  facts.Add("shards",
            options.shard_bytes == 0
                ? ""
                : fmt::format("{} of {} bytes", statement.resources.size(), options.shard_bytes));
  facts.Add("key", fmt::format("{}, {}", key.public_key().kind(), key.public_key().fingerprint()));
  facts.Add("certificates", chain.empty() ? "" : fmt::format("{}", chain.size()));
  return facts.Show();
}

}  // namespace omserve::omc
