// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/chunk_cipher.h"

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"

namespace omserve::sealed {
namespace {

using Nonce = std::array<std::byte, 12>;
constexpr size_t kNoncePrefixBytes = 7;

const unsigned char* Raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* RawOut(std::span<std::byte> bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

// 7 bytes of the file's id, the chunk's number, and whether it is the last: a chunk fits nowhere
// but in its place, and a file that was cut short between chunks lacks its last one.
Nonce NonceOf(std::span<const std::byte> file_id, uint64_t chunk, bool is_last) {
  Nonce nonce;
  std::ranges::copy(file_id.first(kNoncePrefixBytes), nonce.begin());
  for (size_t i = 0; i < 4; ++i) {
    nonce[kNoncePrefixBytes + i] = static_cast<std::byte>(chunk >> (24 - 8 * i));
  }
  nonce.back() = static_cast<std::byte>(is_last ? 1 : 0);
  return nonce;
}

}  // namespace

ChunkCipher::ChunkCipher(CipherContext context, const Header& header)
    : context_(std::move(context)),
      fixed_header_(header.Fixed()),
      chunk_count_(header.chunk_count()),
      first_offset_(header.chunks_offset()),
      chunk_bytes_(header.chunk_bytes) {}

absl::StatusOr<ChunkCipher> ChunkCipher::Make(const FileKeys& keys, const Header& header,
                                              bool seals) {
  CipherContext context(EVP_CIPHER_CTX_new());
  if (context == nullptr || EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr,
                                              Raw(keys.chunk_key()), nullptr, seals ? 1 : 0) != 1) {
    return Internal("AES-256-GCM cannot be set up: {}", OpensslErrorText());
  }
  return ChunkCipher(std::move(context), header);
}

absl::StatusOr<ChunkCipher> ChunkCipher::ForSealing(const FileKeys& keys, const Header& header) {
  return Make(keys, header, /*seals=*/true);
}

absl::StatusOr<ChunkCipher> ChunkCipher::ForOpening(const FileKeys& keys, const Header& header) {
  return Make(keys, header, /*seals=*/false);
}

bool ChunkCipher::Pass(uint64_t chunk, std::span<const std::byte> from, std::span<std::byte> to) {
  constexpr size_t kFileIdOffset = 32;
  const Nonce nonce =
      NonceOf(std::span(fixed_header_).subspan(kFileIdOffset), chunk, chunk + 1 == chunk_count_);
  int done = 0;
  return EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, Raw(nonce), -1) == 1 &&
         EVP_CipherUpdate(context_.get(), nullptr, &done, Raw(fixed_header_),
                          static_cast<int>(fixed_header_.size())) == 1 &&
         // Chunks have at most 64 MiB. OpenSSL takes no null pointer, which an empty span may have.
         (from.empty() || EVP_CipherUpdate(context_.get(), RawOut(to), &done, Raw(from),
                                           static_cast<int>(from.size())) == 1);
}

absl::Status ChunkCipher::Seal(uint64_t chunk, std::span<const std::byte> from,
                               std::span<std::byte> to, std::span<std::byte, kTagBytes> tag) {
  std::array<std::byte, kTagBytes> rest;  // GCM leaves nothing to the end but asks for a place.
  int done = 0;
  if (!Pass(chunk, from, to) || EVP_CipherFinal_ex(context_.get(), RawOut(rest), &done) != 1 ||
      EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag.data()) != 1) {
    return Internal("chunk {} cannot be encrypted: {}", chunk, OpensslErrorText());
  }
  return absl::OkStatus();
}

absl::Status ChunkCipher::Open(uint64_t chunk, std::span<const std::byte> from,
                               std::span<const std::byte, kTagBytes> tag, std::span<std::byte> to) {
  std::array<std::byte, kTagBytes> expected;
  std::ranges::copy(tag, expected.begin());
  std::array<std::byte, kTagBytes> rest;
  int done = 0;
  if (!Pass(chunk, from, to) ||
      EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, expected.data()) != 1) {
    return Internal("chunk {} cannot be decrypted: {}", chunk, OpensslErrorText());
  }
  if (EVP_CipherFinal_ex(context_.get(), RawOut(rest), &done) != 1) {
    OpensslErrorText();  // Says nothing, and must not be found by who fails next.
    const uint64_t offset = first_offset_ + chunk * (chunk_bytes_ + kTagBytes);
    return InvalidArgument(
        "chunk {} of {} (at byte {}): its tag does not fit, so it was changed, moved or taken from "
        "another file; get the file again from where it was sealed",
        chunk, chunk_count_, offset);
  }
  return absl::OkStatus();
}

}  // namespace omserve::sealed
