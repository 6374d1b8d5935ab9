// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/hostacl/random_program.h"

#include <optional>
#include <random>

namespace omserve::hostacl {
namespace {

using Kind = Operation::Kind;
using Bits = std::vector<uint64_t>;

bool IsOnStream(Kind kind) {
  return kind == Kind::kFill || kind == Kind::kCopy || kind == Kind::kRecord ||
         kind == Kind::kWait || kind == Kind::kMark;
}

bool Reads(const Operation& operation) {
  return operation.kind == Kind::kCopy || operation.kind == Kind::kHostCopy;
}

bool Writes(const Operation& operation) {
  return Reads(operation) || operation.kind == Kind::kFill || operation.kind == Kind::kHostFill;
}

bool Conflict(const Operation& a, const Operation& b) {
  const bool a_writes_b =
      Writes(a) && ((Writes(b) && a.target == b.target) || (Reads(b) && a.target == b.source));
  return a_writes_b || (Writes(b) && Reads(a) && b.target == a.source);
}

void Join(Bits* into, const Bits& from) {
  for (size_t i = 0; i < from.size(); ++i) {
    (*into)[i] |= from[i];
  }
}

// Follows a program operation by operation and keeps, for the host and each stream, what is ordered
// before its next operation.
class Follower final {
 public:
  Follower(const ProgramShape& shape, size_t most_operations)
      : words_((most_operations + 63) / 64),
        host_(words_, 0),
        streams_(shape.streams, Bits(words_, 0)),
        events_(shape.events) {}

  // Gives what is ordered before operation `index`.
  Bits Follow(size_t index, const Operation& operation) {
    Bits before = Actor(operation);
    if (IsOnStream(operation.kind)) {
      Join(&before, host_);  // It was launched by the host.
    }
    if (operation.kind == Kind::kWait && events_[operation.event].has_value()) {
      Join(&before, *events_[operation.event]);
    }
    if (operation.kind == Kind::kSyncStream) {
      Join(&before, streams_[operation.stream]);
    }
    if (operation.kind == Kind::kSyncEvent && events_[operation.event].has_value()) {
      Join(&before, *events_[operation.event]);
    }
    if (operation.kind == Kind::kSyncDevice) {
      for (const Bits& stream : streams_) {
        Join(&before, stream);
      }
    }
    Bits& actor = IsOnStream(operation.kind) ? streams_[operation.stream] : host_;
    actor = before;
    actor[index / 64] |= uint64_t{1} << (index % 64);
    if (operation.kind == Kind::kRecord) {
      events_[operation.event] = actor;
    }
    // A mark is host code: the host knows what the stream knows from when it runs. When that is,
    // relative to what the host does meanwhile, nobody can say, so nothing is concluded from it.
    return before;
  }

  // Whether `index` would be ordered before the next operation of this actor.
  bool Known(size_t index, const Operation& next) const {
    const auto has = [index](const Bits& bits) { return (bits[index / 64] >> (index % 64) & 1); };
    return has(Actor(next)) != 0 || has(host_) != 0;
  }
  bool recorded(size_t event) const { return events_[event].has_value(); }

 private:
  const Bits& Actor(const Operation& operation) const {
    return IsOnStream(operation.kind) ? streams_[operation.stream] : host_;
  }

  size_t words_;
  Bits host_;
  std::vector<Bits> streams_;
  std::vector<std::optional<Bits>> events_;
};

// Adds operations, and before each the synchronisation that it needs.
class Generator final {
 public:
  Generator(uint32_t seed, const ProgramShape& shape)
      : shape_(shape), random_(seed), follower_(shape, Most(shape)) {}

  std::vector<Operation> Run() {
    while (operations_.size() < shape_.operations) {
      AddRandom();
    }
    return std::move(operations_);
  }
  // Each operation may need two more for every other one that it conflicts with; bounded by giving
  // up on the operation where that is many.
  static size_t Most(const ProgramShape& shape) {
    return shape.operations + 4 * shape.streams + 64;
  }

 private:
  size_t Below(size_t limit) { return random_() % limit; }
  size_t AnyBuffer() { return Below(shape_.device_buffers + shape_.pinned_buffers); }

  void AddRandom() {
    Operation next;
    next.stream = Below(shape_.streams);
    next.value = static_cast<uint8_t>(Below(256));
    const size_t dice = Below(100);
    if (dice < 35) {
      next.kind = Kind::kFill;
      next.target = Below(shape_.device_buffers);
    } else if (dice < 70) {
      next.kind = Kind::kCopy;
      next.source = AnyBuffer();
      next.target =
          next.source < shape_.device_buffers ? AnyBuffer() : Below(shape_.device_buffers);
    } else if (dice < 80) {
      next.kind = Kind::kMark;
      next.as_callback = Below(2) == 0;
    } else if (dice < 88) {
      next.kind = Kind::kRecord;
      next.event = Below(shape_.events);
    } else if (dice < 95) {
      next.kind = Kind::kWait;
      next.event = Below(shape_.events);
      if (!follower_.recorded(next.event)) {
        return;
      }
    } else if (dice < 97) {
      next.kind = Kind::kHostFill;
      next.target = Below(shape_.device_buffers);
    } else if (dice < 98) {
      next.kind = Kind::kHostCopy;
      next.source = Below(shape_.device_buffers);
      next.target = AnyBuffer();
    } else {
      next.kind = dice < 99 ? Kind::kSyncStream : Kind::kSyncDevice;
    }
    if (next.source == next.target && Reads(next)) {
      return;
    }
    Order(next);
    Add(next);
  }

  // Adds what makes every conflicting operation so far ordered before `next`.
  void Order(const Operation& next) {
    if (!Writes(next)) {
      return;
    }
    const size_t count = operations_.size();
    for (size_t i = count; i-- > 0;) {
      if (!Conflict(operations_[i], next) || follower_.Known(i, next)) {
        continue;
      }
      Operation link;
      link.stream = operations_[i].stream;  // On a stream: the host's are known to all.
      if (!IsOnStream(next.kind) || Below(10) == 0) {
        link.kind = Kind::kSyncStream;
        Add(link);
        continue;
      }
      link.kind = Kind::kRecord;
      link.event = Below(shape_.events);
      Add(link);
      link.kind = Kind::kWait;
      link.stream = next.stream;
      Add(link);
    }
  }

  void Add(const Operation& operation) {
    follower_.Follow(operations_.size(), operation);
    operations_.push_back(operation);
  }

  const ProgramShape shape_;
  std::mt19937 random_;
  Follower follower_;
  std::vector<Operation> operations_;
};

}  // namespace

Program Program::Generate(uint32_t seed, const ProgramShape& shape) {
  Program program(shape);
  program.operations_ = Generator(seed, shape).Run();
  return program;
}

Program Program::Without(size_t index) const {
  Program shorter = *this;
  shorter.operations_.erase(shorter.operations_.begin() + static_cast<std::ptrdiff_t>(index));
  return shorter;
}

Program::Order Program::ComputeOrder() const {
  Follower follower(shape_, operations_.size());
  Order order;
  for (size_t i = 0; i < operations_.size(); ++i) {
    order.push_back(follower.Follow(i, operations_[i]));
  }
  return order;
}

bool Program::HasRace() const {
  const Order order = ComputeOrder();
  for (size_t second = 0; second < operations_.size(); ++second) {
    for (size_t first = 0; first < second; ++first) {
      if (Conflict(operations_[first], operations_[second]) && !Before(order, first, second)) {
        return true;
      }
    }
  }
  return false;
}

std::vector<uint8_t> Program::Outcome() const {
  std::vector<uint8_t> values(buffers(), 0);
  for (const Operation& operation : operations_) {
    if (Reads(operation)) {
      values[operation.target] = values[operation.source];
    } else if (Writes(operation)) {
      values[operation.target] = operation.value;
    }
  }
  return values;
}

}  // namespace omserve::hostacl
