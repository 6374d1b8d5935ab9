// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/seal.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/sealed/seal_file.h"

namespace omserve::omc {
namespace {

// A percentage that counts up on a terminal, and tenths line by line in a log. Small files are done
// before anybody could read it.
class ProgressLine final {
 public:
  explicit ProgressLine(std::string what)
      : what_(std::move(what)), is_terminal_(isatty(STDERR_FILENO) == 1) {}
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() {
    if (is_terminal_ && shown_ >= 0) {
      fmt::print(stderr, "\n");
    }
  }

  void Show(uint64_t done, uint64_t all) {
    constexpr uint64_t kLargeBytes = uint64_t{256} << 20U;
    const int step = is_terminal_ ? 1 : 10;
    const int percent =
        all == 0 ? 100
                 : static_cast<int>(static_cast<double>(done) * 100 / static_cast<double>(all));
    const int next = percent / step * step;
    if (all < kLargeBytes || next == shown_) {
      return;
    }
    shown_ = next;
    fmt::print(stderr, "{}omc: {}: {}% of {} MiB{}", is_terminal_ ? "\r" : "", what_, next,
               all >> 20U, is_terminal_ ? "" : "\n");
    std::fflush(stderr);
  }

 private:
  const std::string what_;
  const bool is_terminal_;
  int shown_ = -1;
};

sealed::Progress To(ProgressLine& line) {
  return [&line](uint64_t done, uint64_t all) { line.Show(done, all); };
}

void Warn(const std::string& note) {
  if (!note.empty()) {
    fmt::print(stderr, "omc: note: {}\n", note);
  }
}

std::string CountText(size_t recipients) {
  return fmt::format("{} recipient{}", recipients, recipients == 1 ? "" : "s");
}

}  // namespace

absl::StatusOr<std::string> Seal(const SealArguments& arguments) {
  ASSIGN_OR_RETURN(const sealed::Recipients recipients,
                   ReadRecipients(arguments.recipients, arguments.shared_key));
  ProgressLine line("sealing");
  ASSIGN_OR_RETURN(const sealed::FileReport report,
                   sealed::SealFile({.from = arguments.path,
                                     .to = arguments.output_path,
                                     .chunk_bytes = arguments.chunk_kib << 10U,
                                     .on_progress = To(line)},
                                    recipients));
  Warn(report.note);
  return fmt::format("{}: {} bytes sealed for {}, {} bytes on disk\n", arguments.output_path,
                     report.plain_bytes, CountText(recipients.size()), report.file_bytes);
}

absl::StatusOr<std::string> Open(const OpenArguments& arguments) {
  ASSIGN_OR_RETURN(const sealed::KeyRing ring,
                   ReadKeyRing(arguments.identities, arguments.shared_key));
  ProgressLine line("opening");
  ASSIGN_OR_RETURN(const sealed::FileReport report,
                   sealed::OpenFile({.from = arguments.path,
                                     .to = arguments.output_path,
                                     .replaces = arguments.replaces,
                                     .on_progress = To(line)},
                                    ring));
  Warn(report.note);
  return fmt::format("{}: {} bytes in plain text, for its owner to read\n", arguments.output_path,
                     report.plain_bytes);
}

absl::StatusOr<std::string> Rekey(const RekeyArguments& arguments) {
  ASSIGN_OR_RETURN(const sealed::KeyRing ring,
                   ReadKeyRing(arguments.identities, arguments.shared_key));
  ASSIGN_OR_RETURN(const sealed::Recipients recipients,
                   ReadRecipients(arguments.recipients, arguments.new_shared_key));
  ProgressLine line("copying");
  ASSIGN_OR_RETURN(
      const sealed::FileReport report,
      sealed::RekeyFile({.path = arguments.path, .on_progress = To(line)}, ring, recipients));
  Warn(report.note);
  return fmt::format("{}: now for {}; copies of before still open with the old keys\n",
                     arguments.path, CountText(recipients.size()));
}

}  // namespace omserve::omc
