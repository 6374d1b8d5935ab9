// SPDX-License-Identifier: Apache-2.0
#include "runtime/registry/folder_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "runtime/base/path_below.h"
#include "runtime/base/thread.h"

namespace omserve::registry {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kOfInterest = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO |
                                 IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR | IN_EXCL_UNLINK;
// Folders below a repository that are looked into: links that lead in circles have an end.
constexpr int kMostDepth = 6;

enum class Writers { kNone, kSome, kUnknown };

// Whether somebody has the file open for writing. The kernel does not tell of a file that is
// neither ours nor on a local disk.
Writers WritersOf(const std::string& path) {
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (fd.get() < 0) {
    return errno == ENOENT ? Writers::kNone : Writers::kUnknown;
  }
  if (fcntl(fd.get(), F_SETLEASE, F_RDLCK) != 0) {
    // A lease for reading is not given while there is a writer.
    return errno == EAGAIN ? Writers::kSome : Writers::kUnknown;
  }
  fcntl(fd.get(), F_SETLEASE, F_UNLCK);
  return Writers::kNone;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FolderWatch>> FolderWatch::Start(
    const std::vector<std::string>& folders, std::function<void()> on_change) {
  // Who opens a file for writing in the instant of WritersOf's lease makes the kernel send it, and
  // it ends processes that have not said that they do not care.
  signal(SIGIO, SIG_IGN);
  Descriptor events(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  Descriptor stop(eventfd(0, EFD_CLOEXEC));
  if (events.get() < 0 || stop.get() < 0) {
    return Unavailable("changes of folders cannot be watched: {}", ErrnoText());
  }
  // The constructor is private, which std::make_unique cannot reach.
  std::unique_ptr<FolderWatch> watch(
      new FolderWatch(folders, std::move(events), std::move(stop), std::move(on_change)));
  RETURN_IF_ERROR(watch->AddRoots());
  watch->thread_ = StartThread("watch", [raw = watch.get()] { raw->Run(); });
  return watch;
}

FolderWatch::FolderWatch(std::vector<std::string> roots, Descriptor events, Descriptor stop,
                         std::function<void()> on_change)
    : roots_(std::move(roots)),
      events_(std::move(events)),
      stop_(std::move(stop)),
      on_change_(std::move(on_change)) {}

absl::Status FolderWatch::AddRoots() {
  for (const std::string& root : roots_) {
    RETURN_IF_ERROR(Add(root));
  }
  return absl::OkStatus();
}

FolderWatch::~FolderWatch() {
  eventfd_write(stop_.get(), 1);
  if (thread_.joinable()) {
    thread_.join();
  }
}

std::string FolderWatch::BeingWritten(const std::string& folder) {
  const MutexLock lock(mu_);
  auto file = written_.lower_bound(folder + "/");
  while (file != written_.end() && IsBelow(*file, folder)) {
    if (WritersOf(*file) != Writers::kNone) {
      return *file;
    }
    // Written to by its name (truncate), or another file was renamed over it: no close is told.
    file = written_.erase(file);
  }
  return "";
}

absl::Status FolderWatch::AddOne(const std::string& folder) {
  const int watch = inotify_add_watch(events_.get(), folder.c_str(), kOfInterest);
  if (watch >= 0) {
    folders_[watch] = folder;
    return absl::OkStatus();
  }
  if (errno == ENOENT || errno == ENOTDIR) {
    return absl::OkStatus();  // It has just gone.
  }
  return Unavailable("'{}' cannot be watched for changes: {}{}", folder, ErrnoText(),
                     errno == ENOSPC ? "; raise fs.inotify.max_user_watches" : "");
}

bool FolderWatch::IsHidden(const std::string& path) const {
  return std::any_of(roots_.begin(), roots_.end(), [&path](const std::string& root) {
    return IsBelow(path, root) && path[root.size() + 1] == '.';
  });
}

absl::Status FolderWatch::Add(const std::string& folder) {
  const MutexLock lock(mu_);
  RETURN_IF_ERROR(AddOne(folder));
  std::error_code error;
  fs::recursive_directory_iterator entry(folder,
                                         fs::directory_options::follow_directory_symlink |
                                             fs::directory_options::skip_permission_denied,
                                         error);
  while (!error && entry != fs::recursive_directory_iterator()) {
    std::error_code ignored;  // What has just gone is no folder.
    if (IsHidden(entry->path().string())) {
      entry.disable_recursion_pending();
    } else if (entry->is_directory(ignored)) {
      RETURN_IF_ERROR(AddOne(entry->path().string()));
      if (entry.depth() >= kMostDepth) {
        entry.disable_recursion_pending();
      }
    } else if (entry->is_regular_file(ignored) &&
               WritersOf(entry->path().string()) == Writers::kSome) {
      // What was written before the folder was watched is not told; that it is closed will be.
      written_.insert(entry->path().string());
    }
    entry.increment(error);
  }
  return absl::OkStatus();  // What could not be read is looked at all the same.
}

void FolderWatch::Forget(const std::string& folder) {
  const MutexLock lock(mu_);
  for (const auto& [watch, path] : folders_) {
    if (path == folder || IsBelow(path, folder)) {
      inotify_rm_watch(events_.get(), watch);  // IN_IGNORED then takes it out here.
    }
  }
  std::erase_if(written_, [&folder](const std::string& file) { return IsBelow(file, folder); });
}

void FolderWatch::Run() {
  std::array<pollfd, 2> waits = {{{events_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
  while (true) {
    if (poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) {
      OMSERVE_LOG(kError, "registry", "folders not watched any longer error=\"{}\"", ErrnoText());
      return;
    }
    if ((waits[1].revents & POLLIN) != 0) {
      return;
    }
    if ((waits[0].revents & POLLIN) != 0 && ReadEvents()) {
      on_change_();
    }
  }
}

bool FolderWatch::ReadEvents() {
  alignas(inotify_event) std::array<char, 16 << 10> buffer;
  bool any = false;
  while (true) {
    const ssize_t got = read(events_.get(), buffer.data(), buffer.size());
    if (got <= 0) {
      return any;  // No more: the descriptor does not block.
    }
    any = true;
    for (size_t at = 0; at < static_cast<size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const char* name = buffer.data() + at + sizeof event;
      Note(event.wd, event.mask, {name, strnlen(name, event.len)});
      at += sizeof event + event.len;
    }
  }
}

void FolderWatch::NoteFolder(const std::string& path, uint32_t what) {
  std::error_code ignored;
  Forget(path);  // What was there goes, also where a link leads elsewhere now.
  if ((what & (IN_CREATE | IN_MOVED_TO)) == 0 || IsHidden(path) ||
      !fs::is_directory(path, ignored)) {
    return;
  }
  const absl::Status added = Add(path);
  if (!added.ok() && !std::exchange(told_of_limit_, true)) {
    OMSERVE_LOG(kWarning, "registry", "changes are seen by polling alone error=\"{}\"",
                MessageOf(added));
  }
}

void FolderWatch::Note(int watch, uint32_t what, std::string_view name) {
  if ((what & IN_Q_OVERFLOW) != 0) {
    // Anything may have come, gone or been closed.
    for (const std::string& root : roots_) {
      NoteFolder(root, IN_CREATE);
    }
    return;
  }
  std::string path;
  {
    const MutexLock lock(mu_);
    const auto folder = folders_.find(watch);
    if (folder == folders_.end()) {
      return;
    }
    if ((what & IN_IGNORED) != 0) {
      folders_.erase(folder);
      return;
    }
    path = fmt::format("{}/{}", folder->second, name);
    if ((what & IN_ISDIR) == 0) {
      if ((what & IN_MODIFY) != 0) {
        written_.insert(path);
      } else if ((what & (IN_CLOSE_WRITE | IN_MOVED_FROM | IN_DELETE)) != 0) {
        written_.erase(path);
      }
    }
  }
  if ((what & (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)) != 0) {
    NoteFolder(path, what);  // A link to a folder is no folder to the kernel.
  }
}

}  // namespace omserve::registry
