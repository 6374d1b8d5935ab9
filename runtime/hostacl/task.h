// SPDX-License-Identifier: Apache-2.0
// What a stream runs: a label that says what it is, and a body with room for its captures inside,
// so that enqueuing a task allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "runtime/hostacl/milestone.h"

namespace omserve::hostacl {

enum class TaskType : uint8_t {
  // Work: skipped once its context has stopped on a failure.
  kExecute,
  kCopy,
  kFill,
  // Order: always run, so that nobody waits for ever.
  kRecord,
  kWait,
  kCallback,
  kHostFunction,
};

constexpr bool IsWork(TaskType type) { return type <= TaskType::kFill; }
// "execute", "copy", "fill", "record", "wait", "callback", "host function".
std::string_view TaskTypeName(TaskType type);

struct TaskLabel {
  TaskType type = TaskType::kExecute;
  const char* function = "";  // Of the C interface that launched it.
  std::string_view model;     // kExecute: its name, which the body keeps alive.
  uint32_t model_id = 0;
};

// Runs on the stream's worker; gives up waiting when the interrupt is raised.
class TaskBody final {
 public:
  // What the largest takes, an execution with up to four inputs and outputs.
  static constexpr size_t kCapacityBytes = 208;

  TaskBody() = default;
  template <typename F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, TaskBody>)
      TaskBody(F&& function) {  // NOLINT(google-explicit-constructor): a lambda becomes a body.
    using Held = std::remove_cvref_t<F>;
    static_assert(sizeof(Held) <= kCapacityBytes, "captures too large to stand in the queue");
    static_assert(std::is_nothrow_move_constructible_v<Held>);
    new (room_) Held(std::forward<F>(function));
    actions_ = &kActionsOf<Held>;
  }
  TaskBody(TaskBody&& other) noexcept { Take(other); }
  TaskBody& operator=(TaskBody&& other) noexcept {
    if (this != &other) {
      Reset();
      Take(other);
    }
    return *this;
  }
  ~TaskBody() { Reset(); }

  // Requires a body.
  absl::Status operator()(Interrupt& interrupt) { return actions_->run(room_, interrupt); }

 private:
  struct Actions {
    absl::Status (*run)(void* held, Interrupt& interrupt);
    void (*move)(void* from, void* to) noexcept;  // And destroys what it moved from.
    void (*destroy)(void* held) noexcept;
  };
  template <typename Held>
  static constexpr Actions kActionsOf{
      [](void* held, Interrupt& interrupt) -> absl::Status {
        return (*static_cast<Held*>(held))(interrupt);
      },
      [](void* from, void* to) noexcept {
        new (to) Held(std::move(*static_cast<Held*>(from)));
        static_cast<Held*>(from)->~Held();
      },
      [](void* held) noexcept { static_cast<Held*>(held)->~Held(); }};

  void Take(TaskBody& other) noexcept {
    actions_ = std::exchange(other.actions_, nullptr);
    if (actions_ != nullptr) {
      actions_->move(other.room_, room_);
    }
  }
  void Reset() noexcept {
    if (actions_ != nullptr) {
      std::exchange(actions_, nullptr)->destroy(room_);
    }
  }

  alignas(std::max_align_t) std::byte room_[kCapacityBytes];
  const Actions* actions_ = nullptr;
};

}  // namespace omserve::hostacl
