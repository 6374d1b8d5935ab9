// SPDX-License-Identifier: Apache-2.0
// ReadModelKeys.
#include <cstdlib>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "runtime/sealed/key_source.h"
#include "server/core/model_trust.h"

namespace omserve::server {
namespace {

// Exactly one is named: the configuration was checked.
sealed::SecretSource SourceOf(const ModelKeyConfig& config) {
  if (!config.key_environment().empty()) {
    return sealed::SecretVariable{.name = config.key_environment(),
                                  .value = std::getenv(config.key_environment().c_str())};
  }
  if (config.key_command_size() > 0) {
    return sealed::HelperCommand{
        .arguments = {config.key_command().begin(), config.key_command().end()}};
  }
  return sealed::SecretFile{.path = config.private_key_file().empty() ? config.key_file()
                                                                      : config.private_key_file()};
}

absl::Status AddKey(const ModelKeyConfig& config, sealed::KeyRing& ring) {
  const int named =
      (config.private_key_file().empty() ? 0 : 1) + (config.key_file().empty() ? 0 : 1) +
      (config.key_environment().empty() ? 0 : 1) + (config.key_command_size() > 0 ? 1 : 0);
  if (named != 1) {
    return InvalidArgument(
        "expected one of private_key_file, key_file, key_environment and key_command, got {}",
        named);
  }
  const sealed::SecretSource source = SourceOf(config);
  const absl::StatusOr<sealed::SecretBytes> read = sealed::ReadSecret(source);
  if (!config.key_environment().empty()) {
    unsetenv(config.key_environment().c_str());  // Not for programs that are started later.
  }
  RETURN_IF_ERROR(read.status());
  const sealed::SecretBytes& secret = *read;
  if (!secret.locked()) {
    OMSERVE_LOG(kWarning, "catalog", "key not locked in memory: {}", secret.note());
  }
  if (!config.private_key_file().empty()) {
    return ring.AddPrivateKey(secret, sealed::NameOf(source));
  }
  ASSIGN_OR_RETURN(sealed::SymmetricKey key,
                   sealed::SymmetricKey::FromText(secret, config.id(), sealed::NameOf(source)));
  return ring.AddSymmetricKey(std::move(key));
}

}  // namespace

absl::StatusOr<sealed::KeyRing> ReadModelKeys(const RepositoryConfig& config) {
  sealed::KeyRing ring;
  for (int i = 0; i < config.keys_size(); ++i) {
    const absl::Status added = AddKey(config.keys(i), ring);
    if (!added.ok()) {
      return WithContext(added, fmt::format("repository.keys[{}]", i));
    }
  }
  return ring;
}

}  // namespace omserve::server
