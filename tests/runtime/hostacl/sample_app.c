/* SPDX-License-Identifier: Apache-2.0 */
/* An inference program as it is written for AscendCL, in C99 and with its own header: sets a device
 * up, loads a model with batch gears, executes it now and in a stream with a callback, profiles, and
 * cleans up. `sample_app MODEL.om`; exits with 0 when every call succeeded and both executions gave
 * the same. */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl/acl.h"

enum { kMaxTensors = 8 };

/* Ends the program with the library's words where a call fails. */
#define CHECK_ACL(call)                                                                     \
  do {                                                                                      \
    const aclError check_code = (call);                                                     \
    if (check_code != ACL_SUCCESS) {                                                        \
      const char* text = aclGetRecentErrMsg();                                              \
      fprintf(stderr, "%s: %d: %s\n", #call, check_code, text == NULL ? "" : text);         \
      exit(1);                                                                              \
    }                                                                                       \
  } while (0)

typedef struct Tensors {
  aclmdlDataset* dataset;
  void* memory[kMaxTensors];
  size_t size[kMaxTensors];
  size_t count;
} Tensors;

typedef struct Reporter {
  pthread_t thread;
  aclrtContext context;
  int called; /* Written by the callback, read after the stream was synchronised. */
  int stop;
  pthread_mutex_t mutex;
} Reporter;

static void Require(int is_true, const char* what) {
  if (!is_true) {
    fprintf(stderr, "not so: %s\n", what);
    exit(1);
  }
}

static void AddTensor(Tensors* tensors, size_t size) {
  void* memory = NULL;
  aclDataBuffer* buffer = NULL;
  Require(tensors->count < kMaxTensors, "the model has at most 8 inputs and outputs");
  CHECK_ACL(aclrtMalloc(&memory, size, ACL_MEM_MALLOC_HUGE_FIRST));
  CHECK_ACL(aclrtMemset(memory, size, 0, size));
  buffer = aclCreateDataBuffer(memory, size);
  Require(buffer != NULL, "a data buffer");
  CHECK_ACL(aclmdlAddDatasetBuffer(tensors->dataset, buffer));
  tensors->memory[tensors->count] = memory;
  tensors->size[tensors->count] = size;
  ++tensors->count;
}

static void FreeTensors(Tensors* tensors) {
  size_t i = 0;
  for (i = 0; i < tensors->count; ++i) {
    CHECK_ACL(aclDestroyDataBuffer(aclmdlGetDatasetBuffer(tensors->dataset, i)));
    CHECK_ACL(aclrtFree(tensors->memory[i]));
  }
  CHECK_ACL(aclmdlDestroyDataset(tensors->dataset));
}

static Tensors MakeInputs(aclmdlDesc* desc) {
  Tensors inputs;
  size_t i = 0;
  memset(&inputs, 0, sizeof(inputs));
  inputs.dataset = aclmdlCreateDataset();
  for (i = 0; i < aclmdlGetNumInputs(desc); ++i) {
    AddTensor(&inputs, aclmdlGetInputSizeByIndex(desc, i));
  }
  return inputs;
}

static Tensors MakeOutputs(aclmdlDesc* desc) {
  Tensors outputs;
  size_t i = 0;
  memset(&outputs, 0, sizeof(outputs));
  outputs.dataset = aclmdlCreateDataset();
  for (i = 0; i < aclmdlGetNumOutputs(desc); ++i) {
    AddTensor(&outputs, aclmdlGetOutputSizeByIndex(desc, i));
  }
  return outputs;
}

/* Fills input 0 with a pattern of small floats. */
static void FillInput(const Tensors* inputs) {
  const size_t count = inputs->size[0] / sizeof(float);
  float* values = NULL;
  size_t i = 0;
  CHECK_ACL(aclrtMallocHost((void**)&values, inputs->size[0]));
  for (i = 0; i < count; ++i) {
    values[i] = (float)(i % 7) / 7.0F;
  }
  CHECK_ACL(aclrtMemcpy(inputs->memory[0], inputs->size[0], values, inputs->size[0],
                        ACL_MEMCPY_HOST_TO_DEVICE));
  CHECK_ACL(aclrtFreeHost(values));
}

static void SetBatch(uint32_t model, aclmdlDesc* desc, const Tensors* inputs, uint64_t batch) {
  size_t reserved = 0;
  aclmdlBatch* batches = (aclmdlBatch*)calloc(1, sizeof(aclmdlBatch));
  aclmdlIODims* dims = (aclmdlIODims*)calloc(1, sizeof(aclmdlIODims));
  Require(batches != NULL && dims != NULL, "memory");
  CHECK_ACL(aclmdlGetDynamicBatch(desc, batches));
  Require(batches->batchCount == 2 && batches->batch[1] == 2, "the model has gears 1 and 2");
  CHECK_ACL(aclmdlGetInputIndexByName(desc, ACL_DYNAMIC_TENSOR_NAME, &reserved));
  CHECK_ACL(aclmdlSetDynamicBatchSize(model, inputs->dataset, reserved, batch));
  CHECK_ACL(aclmdlGetCurOutputDims(desc, 0, dims));
  Require(dims->dims[0] == (int64_t)batch, "the output has the batch");
  free(dims);
  free(batches);
}

static void* ReadOutput(const Tensors* outputs) {
  void* bytes = malloc(outputs->size[0]);
  Require(bytes != NULL, "memory");
  CHECK_ACL(aclrtMemcpy(bytes, outputs->size[0], outputs->memory[0], outputs->size[0],
                        ACL_MEMCPY_DEVICE_TO_HOST));
  return bytes;
}

static int MustStop(Reporter* reporter) {
  int stop = 0;
  pthread_mutex_lock(&reporter->mutex);
  stop = reporter->stop;
  pthread_mutex_unlock(&reporter->mutex);
  return stop;
}

static void* Report(void* argument) {
  Reporter* reporter = (Reporter*)argument;
  CHECK_ACL(aclrtSetCurrentContext(reporter->context));
  while (!MustStop(reporter)) {
    (void)aclrtProcessReport(20); /* A timeout, or not subscribed yet: once more. */
  }
  return NULL;
}

static void OnDone(void* argument) { ((Reporter*)argument)->called = 1; }

/* Executes in a stream and waits for the callback that follows. */
static void ExecuteInStream(uint32_t model, const Tensors* inputs, const Tensors* outputs,
                            aclrtContext context, aclrtStream stream) {
  Reporter reporter;
  memset(&reporter, 0, sizeof(reporter));
  reporter.context = context;
  Require(pthread_mutex_init(&reporter.mutex, NULL) == 0, "a mutex");
  Require(pthread_create(&reporter.thread, NULL, Report, &reporter) == 0, "a thread");
  CHECK_ACL(aclrtSubscribeReport((uint64_t)reporter.thread, stream));
  CHECK_ACL(aclmdlExecuteAsync(model, inputs->dataset, outputs->dataset, stream));
  CHECK_ACL(aclrtLaunchCallback(OnDone, &reporter, ACL_CALLBACK_BLOCK, stream));
  CHECK_ACL(aclrtSynchronizeStream(stream));
  CHECK_ACL(aclrtUnSubscribeReport((uint64_t)reporter.thread, stream));
  pthread_mutex_lock(&reporter.mutex);
  reporter.stop = 1;
  pthread_mutex_unlock(&reporter.mutex);
  pthread_join(reporter.thread, NULL);
  pthread_mutex_destroy(&reporter.mutex);
  Require(reporter.called == 1, "the callback ran");
}

static aclprofConfig* StartProfile(void) {
  uint32_t devices[1] = {0};
  aclprofConfig* profile = NULL;
  CHECK_ACL(aclprofInit(".", 1));
  profile = aclprofCreateConfig(devices, 1, ACL_AICORE_ARITHMETIC_UTILIZATION, NULL,
                                ACL_PROF_ACL_API | ACL_PROF_TASK_TIME);
  Require(profile != NULL, "a profiling configuration");
  CHECK_ACL(aclprofStart(profile));
  return profile;
}

static void StopProfile(aclprofConfig* profile) {
  CHECK_ACL(aclprofStop(profile));
  CHECK_ACL(aclprofDestroyConfig(profile));
  CHECK_ACL(aclprofFinalize());
}

/* With a device and a context. */
static void Infer(const char* path, aclrtContext context, aclrtStream stream) {
  uint32_t model = 0;
  aclmdlDesc* desc = aclmdlCreateDesc();
  aclprofConfig* profile = StartProfile();
  Tensors inputs;
  Tensors outputs;
  void* now = NULL;
  void* later = NULL;
  CHECK_ACL(aclmdlLoadFromFile(path, &model));
  CHECK_ACL(aclmdlGetDesc(desc, model));
  inputs = MakeInputs(desc);
  outputs = MakeOutputs(desc);
  FillInput(&inputs);
  SetBatch(model, desc, &inputs, 2);
  CHECK_ACL(aclmdlExecute(model, inputs.dataset, outputs.dataset));
  now = ReadOutput(&outputs);
  CHECK_ACL(aclrtMemset(outputs.memory[0], outputs.size[0], 0, outputs.size[0]));
  ExecuteInStream(model, &inputs, &outputs, context, stream);
  later = ReadOutput(&outputs);
  Require(memcmp(now, later, outputs.size[0]) == 0, "both executions gave the same");
  free(now);
  free(later);
  FreeTensors(&inputs);
  FreeTensors(&outputs);
  StopProfile(profile);
  CHECK_ACL(aclmdlDestroyDesc(desc));
  CHECK_ACL(aclmdlUnload(model));
}

int main(int argc, char** argv) {
  aclrtContext context = NULL;
  aclrtStream stream = NULL;
  aclrtRunMode mode = ACL_DEVICE;
  Require(argc == 2, "one argument, the model's file");
  CHECK_ACL(aclInit(NULL));
  CHECK_ACL(aclrtSetDevice(0));
  CHECK_ACL(aclrtCreateContext(&context, 0));
  CHECK_ACL(aclrtCreateStream(&stream));
  CHECK_ACL(aclrtGetRunMode(&mode));
  printf("%s, run mode %d\n", aclrtGetSocName(), (int)mode);
  Infer(argv[1], context, stream);
  CHECK_ACL(aclrtDestroyStream(stream));
  CHECK_ACL(aclrtDestroyContext(context));
  CHECK_ACL(aclrtResetDevice(0));
  CHECK_ACL(aclFinalize());
  return 0;
}
