// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/digest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"
#include "runtime/base/thread.h"

namespace omserve {
namespace {

constexpr size_t kChunkBytes = size_t{256} << 10;

std::optional<uint8_t> HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return static_cast<uint8_t>(c - '0');
  }
  if (c >= 'a' && c <= 'f') {
    return static_cast<uint8_t>(c - 'a' + 10);
  }
  if (c >= 'A' && c <= 'F') {
    return static_cast<uint8_t>(c - 'A' + 10);
  }
  return std::nullopt;
}

}  // namespace

std::string HexOf(const Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * digest.size());
  for (const uint8_t byte : digest) {
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

std::optional<Digest> DigestFromHex(std::string_view hex) {
  Digest digest{};
  if (hex.size() != 2 * digest.size()) {
    return std::nullopt;
  }
  for (size_t i = 0; i < digest.size(); ++i) {
    const std::optional<uint8_t> high = HexDigit(hex[2 * i]);
    const std::optional<uint8_t> low = HexDigit(hex[2 * i + 1]);
    if (!high.has_value() || !low.has_value()) {
      return std::nullopt;
    }
    digest[i] = static_cast<uint8_t>(*high * 16 + *low);
  }
  return digest;
}

Digest DigestOf(std::span<const std::byte> bytes) {
  Digester digester;
  digester.Update(bytes);
  return digester.Finish();
}

Digest DigestOf(std::string_view text) { return DigestOf(std::as_bytes(std::span(text))); }

Digester::Digester() : context_(EVP_MD_CTX_new()) {
  OMSERVE_CHECK(
      context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1,
      "every OpenSSL has SHA-256");
}

void Digester::Update(std::span<const std::byte> bytes) {
  OMSERVE_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1,
                "SHA-256 takes any bytes");
}

Digest Digester::Finish() {
  Digest digest{};
  unsigned size = 0;
  OMSERVE_CHECK(
      EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1 && size == digest.size(),
      "SHA-256 has 32 bytes");
  return digest;
}

absl::StatusOr<DigestedFile> DigestedFile::Open(const std::string& path) {
  // O_NONBLOCK: to open a pipe that stands in a file's place would wait for its writer.
  Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (fd.get() < 0) {
    return errno == ENOENT  ? NotFound("'{}': no such file", path)
           : errno == ELOOP ? InvalidArgument("'{}': a symbolic link, expected a file", path)
                            : InvalidArgument("'{}': cannot be opened: {}", path, ErrnoText());
  }
  struct stat info {};
  if (fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return InvalidArgument("'{}': not a regular file", path);
  }
  return DigestedFile(std::move(fd), path, static_cast<uint64_t>(info.st_size));
}

absl::StatusOr<Digest> DigestedFile::DigestOfRange(
    const ByteRange& range, const std::function<void(uint64_t)>& progress) const {
  Digester digester;
  std::vector<std::byte> chunk(std::min<uint64_t>(kChunkBytes, range.size()));
  for (uint64_t at = range.begin; at < range.end;) {
    const size_t wanted = std::min<uint64_t>(chunk.size(), range.end - at);
    const ssize_t got = pread(fd_.get(), chunk.data(), wanted, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return InvalidArgument("'{}': read {} of {} bytes: {}", path_, at, range.end,
                             got == 0 ? "the file was made shorter" : ErrnoText());
    }
    digester.Update(std::span(chunk).first(static_cast<size_t>(got)));
    at += static_cast<uint64_t>(got);
    if (progress) {
      progress(static_cast<uint64_t>(got));
    }
    GiveWay();
  }
  return digester.Finish();
}

}  // namespace omserve
