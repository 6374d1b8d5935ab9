// SPDX-License-Identifier: Apache-2.0
// Keys that a test makes with the openssl program, and files that are sealed with them. Everything
// stands in the test's own folder.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/descriptor.h"
#include "runtime/base/file.h"
#include "runtime/sealed/key_ring.h"
#include "runtime/sealed/recipients.h"
#include "runtime/sealed/seal_file.h"
#include "runtime/sealed/sealed_file.h"
#include "tests/status_test_util.h"

namespace omserve::sealed {

inline constexpr uint32_t kChunk = kLeastChunkBytes;
inline constexpr char kHexKey[] =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

template <typename... Arguments>
void Openssl(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  const std::string command =
      "openssl " + fmt::format(format, std::forward<Arguments>(arguments)...) + " 2>openssl.txt";
  INFO(command);
  const int status = std::system(command.c_str());  // NOLINT: the test has one thread.
  INFO(ReadFile("openssl.txt").value_or("no output"));
  REQUIRE(status == 0);
}

// NAME.pem and NAME.pub, made once for all tests of the program.
inline std::string KeyPair(const std::string& name) {
  if (!ReadFile(name + ".pub").ok()) {
    Openssl("genpkey -out {}.pem -algorithm {}", name,
            name.starts_with("rsa") ? "RSA -pkeyopt rsa_keygen_bits:2048"
                                    : "EC -pkeyopt ec_paramgen_curve:P-256");
    Openssl("pkey -in {}.pem -pubout -out {}.pub", name, name);
  }
  return name;
}

inline SecretBytes Secret(std::string_view text) {
  return VALUE(SecretBytes::CopyOf(std::as_bytes(std::span(text))));
}

inline SymmetricKey SampleKey(const std::string& id = "", std::string_view hex = kHexKey) {
  return VALUE(SymmetricKey::FromText(Secret(hex), id, "test"));
}

inline Recipients ForSampleKey() {
  Recipients recipients;
  REQUIRE_OK(recipients.AddSymmetricKey(SampleKey()));
  return recipients;
}
inline KeyRing SampleRing() {
  KeyRing ring;
  REQUIRE_OK(ring.AddSymmetricKey(SampleKey()));
  return ring;
}
inline Recipients ForPublicKey(const std::string& name) {
  Recipients recipients;
  REQUIRE_OK(recipients.AddPublicKey(VALUE(ReadFile(name + ".pub")), name));
  return recipients;
}
inline KeyRing RingOf(const std::string& name) {
  KeyRing ring;
  REQUIRE_OK(ring.AddPrivateKey(Secret(VALUE(ReadFile(name + ".pem"))), name));
  return ring;
}

inline std::string Plain(size_t size_bytes) {
  std::mt19937 random(7);
  std::string plain(size_bytes, '\0');
  for (char& c : plain) {
    c = static_cast<char>(random());
  }
  return plain;
}

// The bytes of a sealed file that holds `plain`.
inline std::string Sealed(const std::string& plain, const Recipients& recipients = ForSampleKey()) {
  REQUIRE_OK(WriteFileAtomically("sample.om", plain));
  REQUIRE_OK(
      SealFile({.from = "sample.om", .to = "sample.sealed", .chunk_bytes = kChunk}, recipients));
  return VALUE(ReadFile("sample.sealed"));
}

inline std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// What opening gives; `to` is checked to be wiped where decrypting fails.
inline absl::StatusOr<std::string> OpenMemory(std::string_view file, const KeyRing& ring,
                                              const DecryptOptions& options = {}) {
  ASSIGN_OR_RETURN(const SealedFile sealed, SealedFile::Open(BytesOf(file), ring));
  std::string to(sealed.plain_bytes(), 'x');
  const absl::Status status = sealed.Decrypt(std::as_writable_bytes(std::span(to)), options);
  if (!status.ok()) {
    CHECK(to == std::string(to.size(), '\0'));
    return status;
  }
  return to;
}

inline absl::StatusOr<std::string> OpenDescriptor(std::string_view file, const KeyRing& ring,
                                                  const DecryptOptions& options = {}) {
  const Descriptor fd(
      memfd_create("sealed", MFD_CLOEXEC));  // A regular file, and no disk to wait for.
  REQUIRE(write(fd.get(), file.data(), file.size()) == static_cast<ssize_t>(file.size()));
  ASSIGN_OR_RETURN(const SealedFile sealed, SealedFile::Open(fd.get(), ring));
  std::string to(sealed.plain_bytes(), 'x');
  const absl::Status status = sealed.Decrypt(std::as_writable_bytes(std::span(to)), options);
  if (!status.ok()) {
    CHECK(to == std::string(to.size(), '\0'));
    return status;
  }
  return to;
}

inline std::string MessageOf(const absl::StatusOr<std::string>& result) {
  return result.ok() ? "OK" : std::string(omserve::MessageOf(result.status()));
}

}  // namespace omserve::sealed
