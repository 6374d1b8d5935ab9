// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/helper_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX's.
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "runtime/base/descriptor.h"
#include "runtime/base/errno_text.h"
#include "runtime/base/errors.h"

namespace omserve::sealed {
namespace {

constexpr size_t kMostOutputBytes = size_t{64} << 10U;
constexpr size_t kShownErrorBytes = 512;

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;

  static absl::StatusOr<Pipe> Open() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
      return Internal("no pipe for a helper command: {}", ErrnoText(errno));
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  }
};

// Printable, on one line, the last part of it.
std::string Shown(std::string text) {
  for (char& c : text) {
    c = c >= ' ' && c <= '~' ? c : ' ';
  }
  const size_t end = text.find_last_not_of(' ');
  text.resize(end == std::string::npos ? 0 : end + 1);
  return text.size() <= kShownErrorBytes ? text
                                         : "..." + text.substr(text.size() - kShownErrorBytes);
}

// A program that runs. Killed with all that it started, if it has not ended before.
class Child final {
 public:
  static absl::StatusOr<std::unique_ptr<Child>> Start(const std::vector<std::string>& arguments,
                                                      int out, int err);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (!status_.has_value()) {
      kill(-pid_, SIGKILL);
      Wait();
    }
  }
  // Readable when the program has ended.
  int ended_fd() const { return pidfd_.get(); }
  // As waitpid has it. Blocks until the program has ended.
  int Wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    status_ = status;
    return status;
  }

 private:
  Child(pid_t pid, int pidfd) : pid_(pid), pidfd_(pidfd) {}

  const pid_t pid_;
  const Descriptor pidfd_;
  std::optional<int> status_;
};

absl::StatusOr<std::unique_ptr<Child>> Child::Start(const std::vector<std::string>& arguments,
                                                    int out, int err) {
  std::vector<std::string> words = arguments;  // posix_spawn wants to be able to write to them.
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  // Not everything that others of this process open is closed in children of its own accord.
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  // A daemon blocks the signals that it waits for; its helper should not.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    return Unavailable("key command '{}': cannot be started: {}", arguments[0], ErrnoText(error));
  }
  // By number: glibc 2.36 declares pidfd_open for C only.
  const auto pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  return std::unique_ptr<Child>(new Child(pid, pidfd));
}

// What a program writes. Its standard output goes to memory for secrets alone.
class Output final {
 public:
  static absl::StatusOr<Output> Make() {
    // One byte more than may come, by which too much is seen.
    ASSIGN_OR_RETURN(SecretBytes out, SecretBytes::Allocate(kMostOutputBytes + 1));
    return Output(std::move(out));
  }
  // Reads what is there; false at the end.
  bool ReadOut(int fd) {
    while (out_size_ < out_.size_bytes()) {
      const std::span<std::byte> room = out_.bytes().subspan(out_size_);
      const ssize_t got = read(fd, room.data(), room.size());
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got <= 0) {
        return got < 0 && errno == EAGAIN;
      }
      out_size_ += static_cast<size_t>(got);
    }
    return false;
  }
  bool ReadErr(int fd) {
    std::array<char, 4096> some;
    while (true) {
      const ssize_t got = read(fd, some.data(), some.size());
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got <= 0) {
        return got < 0 && errno == EAGAIN;
      }
      err_.append(some.data(), static_cast<size_t>(got));
      if (err_.size() > 2 * kShownErrorBytes) {
        err_.erase(0, err_.size() - 2 * kShownErrorBytes);
      }
    }
  }
  bool is_too_much() const { return out_size_ > kMostOutputBytes; }
  std::string error_text() const { return err_.empty() ? "it gave no reason" : Shown(err_); }
  SecretBytes Take() {
    out_.Shrink(out_size_);
    return std::move(out_);
  }

 private:
  explicit Output(SecretBytes out) : out_(std::move(out)) {}

  SecretBytes out_;
  size_t out_size_ = 0;
  std::string err_;
};

// Reads until the program has ended. False when `timer` runs out before. What a grandchild that
// stays behind may still write is not waited for.
bool ReadUntilEnd(const Child& child, int out, int err, int timer, Output& output) {
  std::array<pollfd, 4> polled = {
      pollfd{.fd = child.ended_fd(), .events = POLLIN}, pollfd{.fd = out, .events = POLLIN},
      pollfd{.fd = err, .events = POLLIN}, pollfd{.fd = timer, .events = POLLIN}};
  auto& [ended, from_out, from_err, timed_out] = polled;
  while (true) {
    if (poll(polled.data(), polled.size(), -1) < 0) {
      if (errno == EINTR) {
        continue;
      }
      return false;
    }
    if (from_out.fd >= 0 && !output.ReadOut(out)) {
      from_out.fd = -1;  // poll looks over negative ones.
    }
    if (from_err.fd >= 0 && !output.ReadErr(err)) {
      from_err.fd = -1;
    }
    if (output.is_too_much() || (ended.revents != 0 && timed_out.revents == 0)) {
      return true;
    }
    if (timed_out.revents != 0) {
      return false;
    }
  }
}

absl::StatusOr<Descriptor> StartTimer(std::chrono::milliseconds timeout) {
  Descriptor timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
  const itimerspec when{
      .it_interval = {},
      .it_value = {.tv_sec = seconds.count(),
                   .tv_nsec = std::chrono::nanoseconds(timeout - seconds).count()}};
  if (timer.get() < 0 || timerfd_settime(timer.get(), 0, &when, nullptr) != 0) {
    return Internal("no timer for a helper command: {}", ErrnoText(errno));
  }
  return timer;
}

}  // namespace

absl::StatusOr<SecretBytes> RunHelperCommand(const HelperCommand& command) {
  if (command.arguments.empty() || command.arguments[0].empty() || command.timeout.count() <= 0) {
    return InvalidArgument("key command: expected a program, and a timeout above 0");
  }
  const std::string& name = command.arguments[0];
  ASSIGN_OR_RETURN(Pipe out, Pipe::Open());
  ASSIGN_OR_RETURN(Pipe err, Pipe::Open());
  ASSIGN_OR_RETURN(const Descriptor timer, StartTimer(command.timeout));
  ASSIGN_OR_RETURN(Output output, Output::Make());
  ASSIGN_OR_RETURN(const auto child,
                   Child::Start(command.arguments, out.write_end.get(), err.write_end.get()));
  out.write_end.Close();
  err.write_end.Close();
  if (child->ended_fd() < 0) {
    return Internal("key command '{}': cannot be waited for: {}", name, ErrnoText(errno));
  }
  if (!ReadUntilEnd(*child, out.read_end.get(), err.read_end.get(), timer.get(), output)) {
    return Unavailable("key command '{}': no key after {} ms, so it was ended: {}", name,
                       command.timeout.count(), output.error_text());
  }
  if (output.is_too_much()) {
    return Unavailable("key command '{}': wrote more than {} bytes, expected a key", name,
                       kMostOutputBytes);
  }
  const int status = child->Wait();
  if (WIFSIGNALED(status)) {
    return Unavailable("key command '{}': ended by signal {}: {}", name, WTERMSIG(status),
                       output.error_text());
  }
  if (WEXITSTATUS(status) != 0) {
    return Unavailable("key command '{}': exit code {}: {}", name, WEXITSTATUS(status),
                       output.error_text());
  }
  return output.Take();
}

}  // namespace omserve::sealed
