// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/sealed_file.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <thread>
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
    if (got < 0) {
      return Unavailable("the file cannot be read at byte {}: {}", offset, ErrnoText());
    }
    if (got == 0) {
      return InvalidArgument(
          "the file cannot be read at byte {}: it ends there, but was longer when it was opened",
          offset);
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

absl::StatusOr<SealedFile> SealedFile::Open(Bytes file, const KeyRing& ring) {
  ASSIGN_OR_RETURN(Header header, Header::Parse(file));
  return Make(std::move(header), file.size(), ring, {.file = file});
}

absl::Status SealedFile::Decrypt(std::span<std::byte> to, const DecryptOptions& options) const {
  OMSERVE_CHECK(to.size() == header_.plain_bytes, "the buffer has the size of the plain text");
  absl::Status status = DecryptInto(to, options);
  if (!status.ok() && !to.empty()) {
    OPENSSL_cleanse(to.data(), to.size());
  }
  return status;
}

absl::Status SealedFile::ReadChunk(uint64_t chunk, std::span<std::byte> text,
                                   RawFile::Tag& tag) const {
  if (origin_.fd >= 0) {
    return ReadAt(origin_.fd, header_.OffsetOf(chunk), text, tag);
  }
  const Bytes from = origin_.file.subspan(header_.OffsetOf(chunk), text.size() + tag.size());
  std::ranges::copy(from.first(text.size()), text.begin());
  std::ranges::copy(from.last(tag.size()), tag.begin());
  return absl::OkStatus();
}

absl::Status SealedFile::ReadChunks(RawFile& raw, const DecryptOptions& options,
                                    const std::function<bool()>& on_read) const {
  if (origin_.fd >= 0) {
    posix_fadvise(origin_.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  for (uint64_t chunk = 0; chunk < header_.chunk_count(); ++chunk) {
    RETURN_IF_ERROR(ReadChunk(chunk, raw.TextOf(chunk), raw.TagOf(chunk)));
    raw.Reach(chunk);
    ShowProgress(options, header_, chunk);
    if (!on_read()) {
      break;
    }
    GiveWay();
  }
  return absl::OkStatus();
}

// Encrypted bytes are read to where they are decrypted, their tags beside: a model needs no second
// buffer, and each byte is read once, so nobody can change it between the digest and the tag.
absl::Status SealedFile::DecryptInto(std::span<std::byte> to, const DecryptOptions& options) const {
  ParallelDecrypt* decrypting = nullptr;
  RawFile raw(header_, to, [&decrypting] { decrypting->Bring(); });
  ParallelDecrypt decrypt(
      keys_, header_,
      [&raw](uint64_t chunk) {
        return ChunkPlace{
            .from = raw.TextOf(chunk), .tag = raw.TagOf(chunk), .to = raw.TextOf(chunk)};
      },
      options.threads);
  decrypting = &decrypt;
  absl::Status checked;
  std::atomic<bool> refused = false;
  const auto check = [&] {
    checked = options.check(raw);
    refused = !checked.ok();
  };
  std::jthread checker;  // Last: joined before what it uses goes.
  if (options.check) {
    checker = TryStartThread("check", check);
  }
  // Who checks sees all that they want to, also where a chunk is known to be changed.
  const absl::Status read =
      ReadChunks(raw, options, [&] { return options.check ? !refused : decrypt.Bring(); });
  raw.EndArrival();
  if (checker.joinable()) {
    checker.join();
  } else if (options.check && read.ok()) {
    check();
  }
  RETURN_IF_ERROR(read);
  RETURN_IF_ERROR(checked);
  if (options.check) {
    raw.GiveBackAll();  // It may have let pass what it did not look at.
  }
  return decrypt.Finish();
}

}  // namespace omserve::sealed
