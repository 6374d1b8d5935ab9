// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/seal_keys.h"

#include <chrono>
#include <cstdlib>
#include <sstream>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"

namespace omserve::omc {
namespace {

std::vector<std::string> Words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) {
    words.push_back(std::move(word));
  }
  return words;
}

absl::StatusOr<sealed::SymmetricKey> ReadSharedKey(const SharedKeyOptions& options) {
  const sealed::SecretSource source = SourceOf(options);
  ASSIGN_OR_RETURN(const sealed::SecretBytes text, sealed::ReadSecret(source));
  return sealed::SymmetricKey::FromText(text, options.id, sealed::NameOf(source));
}

}  // namespace

sealed::SecretSource SourceOf(const SharedKeyOptions& options) {
  if (!options.file.empty()) {
    return sealed::SecretFile{.path = options.file};
  }
  if (!options.variable.empty()) {
    // Nothing of ours changes the environment.
    const char* const value = std::getenv(options.variable.c_str());  // NOLINT(*-mt-unsafe)
    return sealed::SecretVariable{.name = options.variable, .value = value};
  }
  if (options.fd >= 0) {
    return sealed::SecretDescriptor{.fd = options.fd};
  }
  return sealed::HelperCommand{.arguments = Words(options.command),
                               .timeout = std::chrono::seconds(options.command_timeout_s)};
}

absl::StatusOr<sealed::Recipients> ReadRecipients(const std::vector<std::string>& public_key_files,
                                                  const SharedKeyOptions& shared_key) {
  sealed::Recipients recipients;
  for (const std::string& file : public_key_files) {
    ASSIGN_OR_RETURN(const std::string pem, ReadFile(file, size_t{1} << 20U));
    RETURN_IF_ERROR(recipients.AddPublicKey(pem, fmt::format("'{}'", file)));
  }
  if (shared_key.is_given()) {
    ASSIGN_OR_RETURN(sealed::SymmetricKey key, ReadSharedKey(shared_key));
    RETURN_IF_ERROR(recipients.AddSymmetricKey(std::move(key)));
  }
  if (recipients.size() == 0) {
    return InvalidArgument("nobody could open the file: give recipients or a shared key");
  }
  return recipients;
}

absl::StatusOr<sealed::KeyRing> ReadKeyRing(const std::vector<std::string>& private_key_files,
                                            const SharedKeyOptions& shared_key) {
  sealed::KeyRing ring;
  for (const std::string& file : private_key_files) {
    ASSIGN_OR_RETURN(const sealed::SecretBytes pem,
                     sealed::ReadSecret(sealed::SecretFile{.path = file}));
    RETURN_IF_ERROR(ring.AddPrivateKey(pem, fmt::format("'{}'", file)));
  }
  if (shared_key.is_given()) {
    ASSIGN_OR_RETURN(sealed::SymmetricKey key, ReadSharedKey(shared_key));
    RETURN_IF_ERROR(ring.AddSymmetricKey(std::move(key)));
  }
  if (ring.empty()) {
    return InvalidArgument("nothing to open the file with: give an identity or a shared key");
  }
  return ring;
}

}  // namespace omserve::omc
