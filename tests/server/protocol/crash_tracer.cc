// SPDX-License-Identifier: Apache-2.0
#include "tests/server/protocol/crash_tracer.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cctype>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string_view>

namespace omserve::server {
namespace {

constexpr int kNone = -1;

// A system call that changes files: which of its arguments name what it changes.
struct Watched {
  long number;  // NOLINT(google-runtime-int): the kernel's type.
  const char* name;
  int folder = kNone;  // A descriptor that a path stands below.
  int path = kNone;    // kNone: `file` is the descriptor that is changed.
  int file = 0;
  int flags = kNone;  // Of an open, which changes nothing where it only reads.
};

constexpr Watched kWatched[] = {
    {.number = SYS_openat, .name = "open", .folder = 0, .path = 1, .flags = 2},
    {.number = SYS_write, .name = "write"},
    {.number = SYS_writev, .name = "write"},
    {.number = SYS_pwrite64, .name = "write"},
    {.number = SYS_copy_file_range, .name = "write", .file = 2},
    {.number = SYS_sendfile, .name = "write"},
    {.number = SYS_fsync, .name = "fsync"},
    {.number = SYS_fdatasync, .name = "fsync"},
    {.number = SYS_ftruncate, .name = "truncate"},
    {.number = SYS_fallocate, .name = "allocate"},
    {.number = SYS_flock, .name = "lock"},
    {.number = SYS_fchmod, .name = "chmod"},
    {.number = SYS_fchmodat, .name = "chmod", .folder = 0, .path = 1},
    {.number = SYS_truncate, .name = "truncate", .path = 0},
    {.number = SYS_renameat2, .name = "rename", .folder = 2, .path = 3},
    {.number = SYS_linkat, .name = "link", .folder = 2, .path = 3},
    {.number = SYS_symlinkat, .name = "link", .folder = 1, .path = 2},
    {.number = SYS_unlinkat, .name = "unlink", .folder = 0, .path = 1},
    {.number = SYS_mkdirat, .name = "mkdir", .folder = 0, .path = 1},
#ifdef SYS_renameat
    {.number = SYS_renameat, .name = "rename", .folder = 2, .path = 3},
#endif
#ifdef SYS_open  // The older ones, which aarch64 never had.
    {.number = SYS_open, .name = "open", .path = 0, .flags = 1},
    {.number = SYS_creat, .name = "open", .path = 0},
    {.number = SYS_rename, .name = "rename", .path = 1},
    {.number = SYS_link, .name = "link", .path = 1},
    {.number = SYS_symlink, .name = "link", .path = 1},
    {.number = SYS_unlink, .name = "unlink", .path = 0},
    {.number = SYS_rmdir, .name = "unlink", .path = 0},
    {.number = SYS_mkdir, .name = "mkdir", .path = 0},
    {.number = SYS_chmod, .name = "chmod", .path = 0},
#endif
};

// The tracer is told of these calls before they happen, and of no other, which keep their speed.
bool InstallFilter() {
  std::vector<sock_filter> program;
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (const Watched& watched : kWatched) {
    program.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(watched.number), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{.len = static_cast<uint16_t>(program.size()), .filter = program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

// How the child tells where it is: a letter into a pipe.
enum Mark : char { kBegins = 'b', kDone = 'y', kFailed = 'n' };

void Tell(int pipe, char mark) { static_cast<void>(write(pipe, &mark, 1)); }

// Nothing of a test may run on in the child: what fails there ends it.
[[noreturn]] void BeChild(int pipe, bool traced, const CrashWork& work) noexcept {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (traced && (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0 || raise(SIGSTOP) != 0 ||
                 !InstallFilter())) {
    _exit(77);
  }
  const bool ok = work([pipe] { Tell(pipe, kBegins); });
  Tell(pipe, ok ? kDone : kFailed);
  while (true) {
    pause();
  }
}

std::string TextAt(pid_t thread, uint64_t address, size_t most) {
  std::string text(most, '\0');
  const iovec here{.iov_base = text.data(), .iov_len = most};
  // Up to the end of a page: behind it there may be nothing.
  const size_t page = 4096 - address % 4096;
  const iovec there{.iov_base = reinterpret_cast<void*>(address),  // NOLINT: of another process.
                    .iov_len = std::min(most, page)};
  ssize_t got = process_vm_readv(thread, &here, 1, &there, 1, 0);
  if (got == static_cast<ssize_t>(page) && page < most && text.find('\0') >= page) {
    const iovec rest{.iov_base = text.data() + page, .iov_len = most - page};
    const iovec behind{.iov_base = reinterpret_cast<void*>(address + page),  // NOLINT: likewise.
                       .iov_len = most - page};
    got += std::max<ssize_t>(process_vm_readv(thread, &rest, 1, &behind, 1, 0), 0);
  }
  text.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  return text;
}

std::string PathOfDescriptor(pid_t process, int descriptor) {
  std::string path(4096, '\0');
  const std::string link = "/proc/" + std::to_string(process) +
                           (descriptor == AT_FDCWD ? "/cwd" : "/fd/" + std::to_string(descriptor));
  const ssize_t size = readlink(link.c_str(), path.data(), path.size());
  path.resize(static_cast<size_t>(std::max<ssize_t>(size, 0)));
  return path;
}

class CallTracer final {
 public:
  CallTracer(pid_t child, int pipe, const std::vector<std::string>& folders, size_t at)
      : child_(child), pipe_(pipe), folders_(folders), at_(at) {}

  KilledRun Run() {
    int status = 0;
    if (waitpid(child_, &status, 0) != child_ || !WIFSTOPPED(status)) {
      run_.failure = "it did not stop to be traced";
      return run_;
    }
    const uintptr_t options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                              PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP;
    ptrace(PTRACE_SETOPTIONS, child_, nullptr, options);
    ptrace(PTRACE_CONT, child_, nullptr, nullptr);
    while (true) {
      const pid_t thread = waitpid(-1, &status, __WALL);
      if (thread < 0) {
        run_.failure = run_.failure.empty() && !killed_ ? "it is gone" : run_.failure;
        return run_;
      }
      if (thread == child_ && (WIFEXITED(status) || WIFSIGNALED(status))) {
        if (!killed_) {
          run_.failure = WIFEXITED(status) ? "it ended with " + std::to_string(WEXITSTATUS(status))
                                           : "signal " + std::to_string(WTERMSIG(status));
        }
        return run_;
      }
      if (WIFSTOPPED(status)) {
        Stopped(thread, status);
      }
    }
  }

 private:
  void Stopped(pid_t thread, int status) {
    const int event = status >> 16;
    if (event == PTRACE_EVENT_SECCOMP && !killed_) {
      Look(thread);
    }
    if (killed_) {
      return;
    }
    // A thread's first stop, and the tracer's own, are no signals of the program.
    const int signal = WSTOPSIG(status);
    const bool is_own = event != 0 || signal == SIGTRAP || signal == SIGSTOP;
    ptrace(PTRACE_CONT, thread, nullptr, static_cast<uintptr_t>(is_own ? 0 : signal));
  }

  // `thread` is about to make one of the calls.
  void Look(pid_t thread) {
    __ptrace_syscall_info info{};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_SECCOMP) {
      return;
    }
    const uint64_t* const arguments = info.seccomp.args;
    if (info.seccomp.nr == SYS_write && static_cast<int>(arguments[0]) == pipe_) {
      Marked(TextAt(thread, arguments[1], 1));
      return;
    }
    if (!begun_) {
      return;
    }
    const auto* watched = std::ranges::find_if(kWatched, [&](const Watched& one) {
      return static_cast<uint64_t>(one.number) == info.seccomp.nr;
    });
    const std::optional<std::string> file = Changed(thread, *watched, arguments);
    if (!file.has_value()) {
      return;
    }
    run_.steps.push_back(std::string(watched->name) + " " + *file);
    if (run_.steps.size() == at_) {
      Kill();
    }
  }

  // The file in our folders that the call changes, as a table can show it; nullopt for none.
  std::optional<std::string> Changed(pid_t thread, const Watched& call,
                                     const uint64_t* arguments) const {
    if (call.flags != kNone) {
      constexpr uint64_t kChanges = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
      if ((arguments[call.flags] & kChanges) == 0) {
        return std::nullopt;
      }
    }
    std::string path;
    if (call.path == kNone) {
      path = PathOfDescriptor(child_, static_cast<int>(arguments[call.file]));
    } else {
      path = TextAt(thread, arguments[call.path], 1024);
      path.resize(std::min(path.find('\0'), path.size()));
      if (!path.starts_with('/')) {
        const int folder =
            call.folder == kNone ? AT_FDCWD : static_cast<int>(arguments[call.folder]);
        path.insert(0, PathOfDescriptor(child_, folder) + "/");
      }
    }
    for (const std::string& folder : folders_) {
      if (path.starts_with(folder)) {
        path.erase(0, std::min(folder.size() + 1, path.size()));
        return path.empty() ? "folder" : WithoutNumber(std::move(path));
      }
    }
    return std::nullopt;
  }

  // "state.json.*.tmp": the digits of a draft are never the same.
  static std::string WithoutNumber(std::string path) {
    constexpr size_t kDigits = 16;
    const size_t end = path.rfind(".tmp");
    if (end != std::string::npos && end > kDigits) {
      path.replace(end - kDigits, kDigits, "*");
    }
    const std::string_view load = "omserve-load-";
    if (const size_t at = path.find(load); at != std::string::npos) {
      path.replace(at + load.size(), 6, "*");
    }
    return path;
  }

  void Marked(const std::string& mark) {
    begun_ = begun_ || mark[0] == kBegins;
    if (mark[0] != kBegins) {
      run_.done = true;
      run_.confirmed = mark[0] == kDone;
      Kill();
    }
  }

  void Kill() {
    kill(child_, SIGKILL);
    killed_ = true;
  }

  const pid_t child_;
  const int pipe_;
  const std::vector<std::string>& folders_;
  const size_t at_;
  KilledRun run_;
  bool begun_ = false;
  bool killed_ = false;
};

struct Pipe {
  Pipe() { REQUIRE(pipe2(ends, O_CLOEXEC) == 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close(ends[0]);
    close(ends[1]);
  }
  int ends[2];
};

pid_t Fork(int pipe, bool traced, const CrashWork& work) {
  const pid_t child = fork();
  if (child == 0) {
    BeChild(pipe, traced, work);
  }
  REQUIRE(child > 0);
  return child;
}

// The next letter of the child, if it comes in time.
char NextMark(int pipe, std::chrono::microseconds time) {
  pollfd wanted{.fd = pipe, .events = POLLIN, .revents = 0};
  const timespec most{.tv_sec = time.count() / 1'000'000,
                      .tv_nsec = time.count() % 1'000'000 * 1000};
  char mark = 0;
  return ppoll(&wanted, 1, &most, nullptr) == 1 && read(pipe, &mark, 1) == 1 ? mark : '\0';
}

}  // namespace

bool MayTrace() {
  const KilledRun run = KillAtStep({}, 1, [](const Begin& begin) {
    begin();
    return true;
  });
  return run.confirmed;
}

KilledRun KillAtStep(const std::vector<std::string>& folders, size_t at, const CrashWork& work) {
  const Pipe pipe;
  return CallTracer(Fork(pipe.ends[1], /*traced=*/true, work), pipe.ends[1], folders, at).Run();
}

KilledRun KillAfter(int microseconds, const CrashWork& work) {
  const Pipe pipe;
  const pid_t child = Fork(pipe.ends[1], /*traced=*/false, work);
  KilledRun run;
  if (NextMark(pipe.ends[0], std::chrono::seconds(60)) != kBegins) {
    run.failure = "it did not begin";
  }
  char mark = NextMark(pipe.ends[0], std::chrono::microseconds(microseconds));
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  if (mark == '\0') {  // What it said at the last moment.
    mark = NextMark(pipe.ends[0], std::chrono::microseconds(0));
  }
  run.done = mark != '\0';
  run.confirmed = mark == kDone;
  return run;
}

std::string RunInChild(const std::function<std::string()>& work) {
  Pipe pipe;
  const pid_t child = fork();
  if (child == 0) {
    const auto tell = [&]() noexcept {
      const std::string text = work();
      static_cast<void>(write(pipe.ends[1], text.data(), text.size()));
    };
    tell();
    _exit(0);
  }
  REQUIRE(child > 0);
  close(pipe.ends[1]);
  pipe.ends[1] = -1;
  std::string text;
  std::array<char, 4096> part{};
  for (ssize_t got = 1; got > 0;) {
    got = read(pipe.ends[0], part.data(), part.size());
    text.append(part.data(), static_cast<size_t>(std::max<ssize_t>(got, 0)));
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  INFO(text);
  REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  return text;
}

}  // namespace omserve::server
