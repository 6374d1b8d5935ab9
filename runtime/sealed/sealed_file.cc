// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/sealed_file.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"
#include "runtime/base/thread.h"
#include "runtime/sealed/key_section.h"
#include "runtime/sealed/parallel_decrypt.h"

namespace omserve::sealed {
namespace {

using Bytes = std::span<const std::byte>;
using Tag = std::array<std::byte, kTagBytes>;

// Fills both places from `offset` on, one behind the other.
absl::Status ReadAt(int fd, uint64_t offset, std::span<std::byte> first,
                    std::span<std::byte> second = {}) {
  while (!first.empty() || !second.empty()) {
    const std::array<iovec, 2> places = {iovec{first.data(), first.size()},
                                         iovec{second.data(), second.size()}};
    const ssize_t got =
        preadv(fd, places.data(), static_cast<int>(places.size()), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return InvalidArgument(
          "the file cannot be read at byte {}: {}", offset,
          got == 0 ? "it ends there, but was longer when it was opened" : ErrnoText());
    }
    const auto size = static_cast<size_t>(got);
    offset += size;
    const size_t of_first = std::min(size, first.size());
    first = first.subspan(of_first);
    second = second.subspan(size - of_first);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SizeOf(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    return InvalidArgument("not a regular file");
  }
  return static_cast<uint64_t>(info.st_size);
}

void Show(const DecryptOptions& options, Bytes raw) {
  if (options.on_raw) {
    options.on_raw(raw);
  }
}

void ShowProgress(const DecryptOptions& options, const Header& header, uint64_t chunk) {
  if (options.on_progress) {
    options.on_progress(chunk * header.chunk_bytes + header.PlainBytesOf(chunk));
  }
}

}  // namespace

absl::StatusOr<Header> ReadHeader(int fd) {
  ASSIGN_OR_RETURN(const uint64_t file_bytes, SizeOf(fd));
  std::vector<std::byte> head(std::min<uint64_t>(file_bytes, kKeySectionOffset));
  RETURN_IF_ERROR(ReadAt(fd, 0, head));
  ASSIGN_OR_RETURN(const size_t needed, Header::NeededBytes(head));
  const size_t had = head.size();
  head.resize(std::min<uint64_t>(file_bytes, needed));
  RETURN_IF_ERROR(ReadAt(fd, had, std::span(head).subspan(had)));
  return Header::Parse(head);
}

absl::Status CheckFileSize(const Header& header, uint64_t file_bytes) {
  const uint64_t expected = header.file_bytes();
  if (file_bytes < expected) {
    return InvalidArgument(
        "the file has {} bytes, but was sealed with {}: {} are cut off; get it again from where "
        "it was sealed",
        file_bytes, expected, expected - file_bytes);
  }
  if (file_bytes > expected) {
    return InvalidArgument(
        "the file has {} bytes, but was sealed with {}: {} stand behind its end; get it again from "
        "where it was sealed",
        file_bytes, expected, file_bytes - expected);
  }
  return absl::OkStatus();
}

absl::StatusOr<SealedFile> SealedFile::Make(Header header, uint64_t file_bytes, const KeyRing& ring,
                                            const Origin& origin) {
  ASSIGN_OR_RETURN(const SecretBytes content_key, UnwrapContentKey(header.key_section, ring));
  ASSIGN_OR_RETURN(FileKeys keys, FileKeys::Derive(content_key.bytes(), header.file_id));
  RETURN_IF_ERROR(keys.CheckMacs(header));
  // Not before: until here the header could say anything about the size.
  RETURN_IF_ERROR(CheckFileSize(header, file_bytes));
  return SealedFile(std::move(header), std::move(keys), origin);
}

absl::StatusOr<SealedFile> SealedFile::Open(int fd, const KeyRing& ring) {
  ASSIGN_OR_RETURN(const uint64_t file_bytes, SizeOf(fd));
  ASSIGN_OR_RETURN(Header header, ReadHeader(fd));
  return Make(std::move(header), file_bytes, ring, {.fd = fd});
}

absl::StatusOr<SealedFile> SealedFile::Open(Bytes file, const KeyRing& ring, Arrival* arrival) {
  if (arrival != nullptr) {
    const size_t head = std::min(file.size(), kKeySectionOffset);
    arrival->Await(head);
    ASSIGN_OR_RETURN(const size_t needed, Header::NeededBytes(file.first(head)));
    arrival->Await(std::min(file.size(), needed));
  }
  ASSIGN_OR_RETURN(Header header, Header::Parse(file));
  return Make(std::move(header), file.size(), ring, {.file = file, .arrival = arrival});
}

absl::Status SealedFile::Decrypt(std::span<std::byte> to, const DecryptOptions& options) const {
  OMSERVE_CHECK(to.size() == header_.plain_bytes, "the buffer has the size of the plain text");
  absl::Status status =
      origin_.fd >= 0 ? DecryptDescriptor(to, options) : DecryptMemory(to, options);
  if (!status.ok() && !to.empty()) {
    OPENSSL_cleanse(to.data(), to.size());
  }
  return status;
}

// Encrypted bytes are read to where they are decrypted, their tags beside: a model needs no second
// buffer, and each byte is read once, so nobody can change it between the digest and the tag.
absl::Status SealedFile::DecryptDescriptor(std::span<std::byte> to,
                                           const DecryptOptions& options) const {
  const uint64_t count = header_.chunk_count();
  std::vector<Tag> tags(count);
  const auto text_of = [&](uint64_t chunk) {
    return to.subspan(chunk * header_.chunk_bytes, header_.PlainBytesOf(chunk));
  };
  ParallelDecrypt decrypt(
      keys_, header_,
      [&](uint64_t chunk) {
        return ChunkPlace{.from = text_of(chunk), .tag = tags[chunk], .to = text_of(chunk)};
      },
      options.threads);
  posix_fadvise(origin_.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  Show(options, header_.Encode());
  for (uint64_t chunk = 0; chunk < count; ++chunk) {
    RETURN_IF_ERROR(ReadAt(origin_.fd, header_.OffsetOf(chunk), text_of(chunk), tags[chunk]));
    Show(options, text_of(chunk));
    Show(options, tags[chunk]);
    ShowProgress(options, header_, chunk);
    if (!decrypt.Bring()) {
      break;
    }
    GiveWay();
  }
  return decrypt.Finish();
}

absl::Status SealedFile::DecryptMemory(std::span<std::byte> to,
                                       const DecryptOptions& options) const {
  const uint64_t count = header_.chunk_count();
  const auto raw_of = [&](uint64_t chunk) {
    return origin_.file.subspan(header_.OffsetOf(chunk), header_.PlainBytesOf(chunk) + kTagBytes);
  };
  ParallelDecrypt decrypt(
      keys_, header_,
      [&](uint64_t chunk) {
        const size_t size = header_.PlainBytesOf(chunk);
        return ChunkPlace{.from = raw_of(chunk).first(size),
                          .tag = raw_of(chunk).last<kTagBytes>(),
                          .to = to.subspan(chunk * header_.chunk_bytes, size)};
      },
      options.threads);
  Show(options, header_.Encode());
  for (uint64_t chunk = 0; chunk < count; ++chunk) {
    if (origin_.arrival != nullptr) {
      origin_.arrival->Await(header_.OffsetOf(chunk) + raw_of(chunk).size());
    }
    Show(options, raw_of(chunk));
    ShowProgress(options, header_, chunk);
    if (!decrypt.Bring()) {
      break;
    }
  }
  return decrypt.Finish();
}

}  // namespace omserve::sealed
