// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/seal_file.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "runtime/base/descriptor.h"
#include "runtime/base/draft_file.h"
#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"
#include "runtime/sealed/chunk_cipher.h"
#include "runtime/sealed/file_keys.h"
#include "runtime/sealed/key_section.h"
#include "runtime/sealed/sealed_file.h"

namespace omserve::sealed {
namespace {

struct OpenedFile {
  Descriptor fd;
  struct stat info;

  uint64_t size_bytes() const { return static_cast<uint64_t>(info.st_size); }
};

absl::StatusOr<OpenedFile> OpenToRead(const std::string& path) {
  OpenedFile file{.fd = Descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC)), .info = {}};
  if (file.fd.get() < 0) {
    return errno == ENOENT ? NotFound("no such file")
                           : InvalidArgument("cannot be opened: {}", ErrnoText());
  }
  if (fstat(file.fd.get(), &file.info) != 0 || !S_ISREG(file.info.st_mode)) {
    return InvalidArgument("not a regular file");
  }
  return file;
}

// Reads until `to` is full or the file ends; how much that was.
absl::StatusOr<size_t> ReadSome(int fd, std::span<std::byte> to) {
  size_t done = 0;
  while (done < to.size()) {
    const ssize_t got = read(fd, to.data() + done, to.size() - done);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return Internal("cannot be read: {}", ErrnoText());
    }
    if (got == 0) {
      break;
    }
    done += static_cast<size_t>(got);
  }
  return done;
}

absl::Status ReadExactly(int fd, std::span<std::byte> to) {
  ASSIGN_OR_RETURN(const size_t got, ReadSome(fd, to));
  return got == to.size() ? absl::OkStatus()
                          : InvalidArgument("became shorter while it was read; try again");
}

void Show(const Progress& progress, uint64_t done, uint64_t all) {
  if (progress) {
    progress(done, all);
  }
}

bool FillRandom(std::span<std::byte> bytes) {
  return RAND_priv_bytes(reinterpret_cast<unsigned char*>(bytes.data()),
                         static_cast<int>(bytes.size())) == 1;
}

// The key section for `recipients` and its MAC.
absl::Status PutKeySection(std::span<const std::byte> content_key, const FileKeys& keys,
                           const Recipients& recipients, Header& header) {
  ASSIGN_OR_RETURN(header.key_section, WrapContentKey(content_key, recipients));
  ASSIGN_OR_RETURN(header.key_section_mac, keys.KeySectionMac(header));
  return header.Validate();
}

absl::Status WriteChunks(const OpenedFile& from, const Header& header, const FileKeys& keys,
                         SecretBytes& buffer, DraftFile& draft, const Progress& progress) {
  ASSIGN_OR_RETURN(ChunkCipher cipher, ChunkCipher::ForSealing(keys, header));
  for (uint64_t chunk = 0; chunk < header.chunk_count(); ++chunk) {
    const size_t size = header.PlainBytesOf(chunk);
    const std::span<std::byte> text = buffer.bytes().first(size);
    RETURN_IF_ERROR(ReadExactly(from.fd.get(), text));
    RETURN_IF_ERROR(
        cipher.Seal(chunk, text, text, buffer.bytes().subspan(size).first<kTagBytes>()));
    RETURN_IF_ERROR(draft.Write(buffer.bytes().first(size + kTagBytes)));
    Show(progress, chunk * header.chunk_bytes + size, header.plain_bytes);
  }
  std::array<std::byte, 1> more{};
  ASSIGN_OR_RETURN(const size_t got, ReadSome(from.fd.get(), more));
  return got == 0 ? absl::OkStatus()
                  : InvalidArgument("became longer while it was read; try again");
}

absl::Status CheckPlain(const OpenedFile& from) {
  std::array<std::byte, 8> head{};
  const ssize_t got = pread(from.fd.get(), head.data(), head.size(), 0);
  return got > 0 && IsSealed(std::span(head).first(static_cast<size_t>(got)))
             ? InvalidArgument("sealed already; `omc rekey` changes who can open it")
             : absl::OkStatus();
}

absl::StatusOr<FileReport> Seal(const SealOptions& options, const Recipients& recipients) {
  ASSIGN_OR_RETURN(const OpenedFile from, OpenToRead(options.from));
  RETURN_IF_ERROR(CheckPlain(from));
  ASSIGN_OR_RETURN(SecretBytes content_key, SecretBytes::Allocate(kKeyBytes));
  Header header{.chunk_bytes = options.chunk_bytes, .plain_bytes = from.size_bytes()};
  if (!FillRandom(content_key.bytes()) || !FillRandom(header.file_id)) {
    return Internal("no random numbers for a key");
  }
  ASSIGN_OR_RETURN(const FileKeys keys, FileKeys::Derive(content_key.bytes(), header.file_id));
  RETURN_IF_ERROR(PutKeySection(content_key.bytes(), keys, recipients, header));
  ASSIGN_OR_RETURN(header.mac, keys.HeaderMac(header));
  ASSIGN_OR_RETURN(SecretBytes buffer, SecretBytes::Allocate(header.chunk_bytes + kTagBytes));
  ASSIGN_OR_RETURN(DraftFile draft, DraftFile::Create(options.to, 0644));
  RETURN_IF_ERROR(draft.Write(header.Encode()));
  RETURN_IF_ERROR(WriteChunks(from, header, keys, buffer, draft, options.on_progress));
  RETURN_IF_ERROR(draft.Commit(/*replaces=*/true));
  return FileReport{.plain_bytes = header.plain_bytes,
                    .file_bytes = header.file_bytes(),
                    .note = content_key.locked() ? buffer.note() : content_key.note()};
}

absl::StatusOr<FileReport> Open(const OpenOptions& options, const KeyRing& ring) {
  ASSIGN_OR_RETURN(const OpenedFile from, OpenToRead(options.from));
  ASSIGN_OR_RETURN(const SealedFile sealed, SealedFile::Open(from.fd.get(), ring));
  // Before the long work: a typing error should show at once. Commit looks again.
  std::error_code error;
  if (!options.replaces && std::filesystem::exists(options.to, error)) {
    return FailedPrecondition("'{}': is there already; remove it, or say that it may be replaced",
                              options.to);
  }
  ASSIGN_OR_RETURN(SecretBytes plain, SecretBytes::Allocate(sealed.plain_bytes()));
  RETURN_IF_ERROR(
      sealed.Decrypt(plain.bytes(), {.threads = options.threads, .on_progress = [&](uint64_t done) {
                                       Show(options.on_progress, done, sealed.plain_bytes());
                                     }}));
  ASSIGN_OR_RETURN(DraftFile draft, DraftFile::Create(options.to, 0600));
  RETURN_IF_ERROR(draft.Write(plain.bytes()));
  RETURN_IF_ERROR(draft.Commit(options.replaces));
  return FileReport{.plain_bytes = sealed.plain_bytes(),
                    .file_bytes = sealed.header().file_bytes(),
                    .note = plain.note()};
}

absl::Status CopyChunks(const OpenedFile& from, const Header& old, DraftFile& draft,
                        const Progress& progress) {
  if (lseek(from.fd.get(), static_cast<off_t>(old.chunks_offset()), SEEK_SET) < 0) {
    return Internal("cannot be read: {}", ErrnoText());
  }
  constexpr uint64_t kAtATime = 1U << 20U;
  std::vector<std::byte> buffer(kAtATime);
  const uint64_t all = old.file_bytes() - old.chunks_offset();
  for (uint64_t done = 0; done < all;) {
    const std::span<std::byte> some = std::span(buffer).first(std::min(kAtATime, all - done));
    RETURN_IF_ERROR(ReadExactly(from.fd.get(), some));
    RETURN_IF_ERROR(draft.Write(some));
    done += some.size();
    Show(progress, done, all);
  }
  return absl::OkStatus();
}

absl::StatusOr<FileReport> Rekey(const RekeyOptions& options, const KeyRing& ring,
                                 const Recipients& recipients) {
  std::error_code error;
  const std::string path = std::filesystem::canonical(options.path, error).string();
  ASSIGN_OR_RETURN(const OpenedFile from, OpenToRead(error ? options.path : path));
  ASSIGN_OR_RETURN(const Header old, ReadHeader(from.fd.get()));
  ASSIGN_OR_RETURN(const SecretBytes content_key, UnwrapContentKey(old.key_section, ring));
  ASSIGN_OR_RETURN(const FileKeys keys, FileKeys::Derive(content_key.bytes(), old.file_id));
  RETURN_IF_ERROR(keys.CheckMacs(old));
  RETURN_IF_ERROR(CheckFileSize(old, from.size_bytes()));
  Header header = old;
  RETURN_IF_ERROR(PutKeySection(content_key.bytes(), keys, recipients, header));
  ASSIGN_OR_RETURN(DraftFile draft, DraftFile::Create(path, 0600));
  RETURN_IF_ERROR(draft.Write(header.Encode()));
  RETURN_IF_ERROR(CopyChunks(from, old, draft, options.on_progress));
  // Only root gives files away, so the owner may change; the rights are given last, since they may
  // let a new group in.
  if (fchown(draft.fd(), from.info.st_uid, from.info.st_gid) != 0) {
    errno = 0;
  }
  if (fchmod(draft.fd(), from.info.st_mode & 07777U) != 0) {
    return Internal("the rights of '{}' cannot be kept: {}", path, ErrnoText());
  }
  RETURN_IF_ERROR(draft.Commit(/*replaces=*/true));
  return FileReport{.plain_bytes = header.plain_bytes,
                    .file_bytes = header.file_bytes(),
                    .note = content_key.note()};
}

template <typename T>
absl::StatusOr<T> Named(absl::StatusOr<T> result, const std::string& path) {
  if (!result.ok()) {
    return WithContext(result.status(), fmt::format("'{}'", path));
  }
  return result;
}

}  // namespace

absl::StatusOr<FileReport> SealFile(const SealOptions& options, const Recipients& recipients) {
  return Named(Seal(options, recipients), options.from);
}

absl::StatusOr<FileReport> OpenFile(const OpenOptions& options, const KeyRing& ring) {
  return Named(Open(options, ring), options.from);
}

absl::StatusOr<FileReport> RekeyFile(const RekeyOptions& options, const KeyRing& ring,
                                     const Recipients& recipients) {
  return Named(Rekey(options, ring, recipients), options.path);
}

}  // namespace omserve::sealed
