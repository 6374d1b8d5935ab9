// SPDX-License-Identifier: Apache-2.0
#include "scheduler/host_workers.h"

#include <optional>
#include <string>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/thread.h"

namespace omserve::scheduler {

HostWorkers::HostWorkers(int threads, memory::HostPool& pool, Clock& clock,
                         std::function<void(HostResult)> done)
    : pool_(pool), clock_(clock), done_(std::move(done)) {
  for (int i = 0; i < threads; ++i) {
    threads_.push_back(StartThread("host-step-" + std::to_string(i), [this] { Run(); }));
  }
}

HostWorkers::~HostWorkers() {
  {
    const MutexLock lock(mu_);
    stop_ = true;
  }
  wake_.NotifyAll();
}

void HostWorkers::Submit(HostTask task) {
  {
    const MutexLock lock(mu_);
    queue_.push_back(std::move(task));
  }
  wake_.NotifyOne();
}

void HostWorkers::Run() {
  while (true) {
    HostTask task;
    {
      const MutexLock lock(mu_);
      while (queue_.empty() && !stop_) {
        wake_.Wait(mu_);
      }
      if (queue_.empty()) {
        return;
      }
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    done_(RunTask(task));
  }
}

HostResult HostWorkers::RunTask(const HostTask& task) {
  HostResult result{.request = task.request, .node = task.node, .start = clock_.Now()};
  if (task.op == nullptr) {
    result.digest = DigestOf(task.inputs);
    result.end = clock_.Now();
    return result;
  }
  std::vector<hostops::HostOutput> outputs;
  std::vector<HostTensor> tensors;
  for (size_t i = 0; i < task.op->outputs().size() && result.status.ok(); ++i) {
    absl::StatusOr<memory::HostBlock> block = pool_.Allocate(task.op->MaxOutputBytes(i, task.rows));
    if (!block.ok()) {
      result.status = block.status();
      break;
    }
    Dims dims = task.op->outputs()[i].dims;
    dims.insert(dims.begin(), task.rows);
    outputs.push_back({.dims = std::move(dims), .buffer = block->bytes()});
    tensors.push_back({.block = *std::move(block)});
  }
  if (result.status.ok()) {
    result.status = task.op->Run(task.rows, task.inputs, outputs);
  }
  for (size_t i = 0; i < outputs.size() && result.status.ok(); ++i) {
    const TensorSpec& spec = task.op->outputs()[i];
    const std::optional<size_t> expected = TensorBytes(spec.type, outputs[i].dims);
    if (expected.has_value() && *expected != outputs[i].bytes_used) {
      // A step's tensor goes to the device by its declared size: a shorter one would shift rows.
      result.status =
          Internal("output '{}': the step wrote {} bytes, its shape {} has {}", spec.name,
                   outputs[i].bytes_used, DimsToString(outputs[i].dims), *expected);
    }
  }
  if (result.status.ok()) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      tensors[i].dims = std::move(outputs[i].dims);
      tensors[i].size_bytes = outputs[i].bytes_used;
    }
    result.outputs = std::move(tensors);
  }
  result.end = clock_.Now();
  return result;
}

}  // namespace omserve::scheduler
