// SPDX-License-Identifier: Apache-2.0
// Bytes as a layer of an OCI image that is an archive: plain tar, gzip or zstd. What is listed of
// it can be read, and is what the list says. The first byte says whether all of it is asked for.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "runtime/base/check.h"
#include "runtime/base/descriptor.h"
#include "runtime/base/errors.h"
#include "runtime/source/packed_layer.h"
#include "runtime/source/sums_file.h"

namespace omserve::source {
namespace {

using Bytes = std::span<const std::byte>;

constexpr uint64_t kMostBytes = uint64_t{4} << 20;

class DigestSink final : public ByteSink {
 public:
  absl::Status Begin(const Beginning& beginning) override {
    OMSERVE_CHECK(beginning.offset == 0, "nothing was there before");
    promised_bytes = beginning.size_bytes;
    return absl::OkStatus();
  }
  absl::Status Write(Bytes bytes) override {
    digester.Update(bytes);
    size_bytes += bytes.size();
    return absl::OkStatus();
  }
  Digester digester;
  uint64_t size_bytes = 0;
  std::optional<uint64_t> promised_bytes;
};

void Try(Bytes archive, bool is_image) {
  const Descriptor file(memfd_create("archive", MFD_CLOEXEC));
  OMSERVE_CHECK(file.get() >= 0 && write(file.get(), archive.data(), archive.size()) ==
                                       static_cast<ssize_t>(archive.size()),
                "a file in memory");
  const std::string path = fmt::format("/proc/self/fd/{}", file.get());
  const PackedLayer layer = {.path = path,
                             .digest = DigestOf(archive),
                             .size_bytes = archive.size(),
                             .below = is_image ? "models/" : "",
                             .most_bytes = kMostBytes};
  const absl::StatusOr<PackedFiles> found = ListPackedLayer(layer, {});
  if (!found.ok()) {
    OMSERVE_CHECK(absl::IsInvalidArgument(found.status()) && !found.status().message().empty(),
                  "what is damaged is its writer's fault, and every refusal says why");
    return;
  }
  OMSERVE_CHECK(found->unpacked_bytes <= kMostBytes, "there is a bound");
  uint64_t bytes = 0;
  for (const PackedFile& one : found->files) {
    OMSERVE_CHECK(CheckPath(one.path).ok() && one.path.starts_with(layer.below),
                  "a path that files may have");
    DigestSink sink;
    OMSERVE_CHECK(ReadPackedFile(path, one.path, {}, sink, {}).ok() &&
                      sink.size_bytes == one.size_bytes && sink.promised_bytes == one.size_bytes &&
                      sink.digester.Finish() == one.digest,
                  "a file is what the list says");
    bytes += one.size_bytes;
  }
  OMSERVE_CHECK(bytes <= found->unpacked_bytes, "no file is larger than what it came from");
}

}  // namespace
}  // namespace omserve::source

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) {
    omserve::source::Try(std::as_bytes(std::span(data + 1, size - 1)), data[0] % 2 == 1);
  }
  return 0;
}
