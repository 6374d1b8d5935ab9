// SPDX-License-Identifier: Apache-2.0
// The one Runtime of the process, its count of references, and each thread's current context.
#include <string>
#include <utility>

#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/fault_plan.h"
#include "runtime/hostacl/runtime.h"
#include "runtime/hostacl/timeouts.h"

namespace omserve::hostacl {
namespace {

struct Process {
  Mutex mu;
  std::shared_ptr<Runtime> runtime ABSL_GUARDED_BY(mu);
  std::string config_text ABSL_GUARDED_BY(mu);
  uint64_t references ABSL_GUARDED_BY(mu) = 0;
};

// AscendCL is process-wide by definition. The object is never destroyed: threads of the program may
// still be inside a call when its static objects are.
Process& TheProcess() {
  static Process& process = *std::make_unique<Process>().release();
  return process;
}

// Handle of this thread's context; a handle is never reused, so one of an earlier aclInit is
// simply unknown.
void*& ThreadContext() {
  thread_local void* context = nullptr;
  return context;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Runtime>> CurrentRuntime() {
  Process& process = TheProcess();
  const MutexLock lock(process.mu);
  if (process.runtime == nullptr) {
    return Fail(ACL_ERROR_UNINITIALIZE, "AscendCL is not initialised; call aclInit first");
  }
  return process.runtime;
}

absl::Status InitRuntime(const char* config_path) {
  std::string config_text;
  ASSIGN_OR_RETURN(const Settings settings, LoadSettings(config_path, &config_text));
  Process& process = TheProcess();
  // Held while the runtime is made, so that of two first calls one makes it and one repeats.
  const MutexLock lock(process.mu);
  if (process.runtime != nullptr) {
    if (!config_text.empty() && config_text != process.config_text) {
      return Fail(ACL_ERROR_INVALID_PARAM,
                  "aclInit: initialised before with another configuration; finalise first");
    }
    ++process.references;
    return Fail(ACL_ERROR_REPEAT_INITIALIZE, "aclInit: initialised before; {} references now",
                process.references);
  }
  Owners().Enable(settings.strict != StrictLevel::kOff);
  ASSIGN_OR_RETURN(std::shared_ptr<Runtime> runtime, Runtime::Create(settings));
  RETURN_IF_ERROR(runtime->dump().TakeInitText(config_text));
  process.runtime = std::move(runtime);
  ProcessFaults().Begin(settings.faults, settings.faults_file);
  ShareRecentErrors(settings.share_error_texts);
  SetEventWaitTimeout(0);
  process.config_text = std::move(config_text);
  process.references = 1;
  return absl::OkStatus();
}

absl::Status FinalizeRuntime(bool force, uint64_t* references_left) {
  std::shared_ptr<Runtime> ended;
  {
    Process& process = TheProcess();
    const MutexLock lock(process.mu);
    if (process.runtime == nullptr) {
      return Fail(ACL_ERROR_REPEAT_FINALIZE, "aclFinalize: AscendCL is not initialised");
    }
    process.references = force ? 0 : process.references - 1;
    *references_left = process.references;
    if (process.references == 0) {
      ended = std::exchange(process.runtime, nullptr);
    }
  }
  if (ended != nullptr) {
    ended->ReportLeaks();
    Owners().Enable(false);
    ended->Shutdown();
    ProcessFaults().End();
  }
  return absl::OkStatus();
}

absl::StatusOr<Here> CurrentPlace() {
  ASSIGN_OR_RETURN(std::shared_ptr<Runtime> runtime, CurrentRuntime());
  std::shared_ptr<Context> context = runtime->FindContext(ThreadContext());
  if (context == nullptr) {
    return Fail(ACL_ERROR_RT_CONTEXT_NULL,
                "this thread has no context{}; call aclrtSetDevice, aclrtCreateContext or "
                "aclrtSetCurrentContext in it first",
                ThreadContext() == nullptr ? "" : " (the one it had was destroyed)");
  }
  if (const FaultPlan& faults = ProcessFaults(); faults.armed()) {
    RETURN_IF_ERROR(faults.Lost(context->device->index()));
  }
  return Here{std::move(runtime), std::move(context)};
}

int32_t ThreadDevice() {
  std::shared_ptr<Runtime> runtime;
  {
    Process& process = TheProcess();
    const MutexLock lock(process.mu);
    runtime = process.runtime;
  }
  const std::shared_ptr<Context> context =
      runtime == nullptr ? nullptr : runtime->FindContext(ThreadContext());
  return context == nullptr ? -1 : context->device->index();
}

void SetThreadContext(void* handle) { ThreadContext() = handle; }

void* ThreadContextHandle() { return ThreadContext(); }

}  // namespace omserve::hostacl
