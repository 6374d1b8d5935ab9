// SPDX-License-Identifier: Apache-2.0
// 1.9: executing models: now and in streams, buffers that fit and that do not, many at once.
#include <array>

#include "tests/runtime/hostacl/contract/model_run.h"

namespace omserve::hostacl {
namespace {

constexpr size_t kLinearBytes = 2 * 128 * sizeof(float);

TEST_CASE("A model executes", "[1.9/aclmdlExecute][needs models]") {
  const AclSession session;
  const ModelRun run(StaticLinearModel());
  CheckNear(run.Execute(LinearRows(2), 2 * 128), LinearAnswer(LinearRows(2)));
}

// Between what stands before it and after it, and the call returns before it has run.
TEST_CASE("A model executes in a stream",
          "[1.9/aclmdlExecuteAsync][needs models][needs aclrtStreamQuery]") {
  const AclSession session;
  const TestStream stream;
  const ModelRun run(StaticLinearModel());
  run.Write(LinearRows(2));
  const DeviceBytes copy(kLinearBytes);
  {
    const StreamGate gate(stream.get());
    REQUIRE_ACL(ACL(aclrtMemsetAsync)(run.input_memory(0).get(), 24, 0, 24, stream.get()));
    REQUIRE_ACL(ACL(aclmdlExecuteAsync)(run.id(), run.input(), run.output(), stream.get()));
    REQUIRE_ACL(ACL(aclrtMemcpyAsync)(copy.get(), kLinearBytes, run.output_memory(0).get(),
                                      kLinearBytes, ACL_MEMCPY_DEVICE_TO_DEVICE, stream.get()));
    aclrtStreamStatus status = ACL_STREAM_STATUS_RESERVED;
    REQUIRE_ACL(ACL(aclrtStreamQuery)(stream.get(), &status));
    CHECK(status == ACL_STREAM_STATUS_NOT_READY);
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CheckNear(copy.Read<float>(), LinearAnswer(std::vector<float>(6, 0)));
}

// The same launches again and again: descriptors are only read.
TEST_CASE("Datasets can be used again", "[1.9/aclmdlExecuteAsync][needs models]") {
  const AclSession session;
  const TestStream stream;
  const ModelRun run(StaticLinearModel());
  run.Write(LinearRows(2));
  for (int round = 0; round < 10; ++round) {
    REQUIRE_ACL(ACL(aclmdlExecuteAsync)(run.id(), run.input(), run.output(), stream.get()));
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CheckNear(run.Read(2 * 128), LinearAnswer(LinearRows(2)));
}

// The library allocates it, and it is the caller's to free; an asynchronous one cannot.
TEST_CASE("Outputs may be left to a synchronous execution",
          "[rule/null-outputs][1.9/aclmdlExecute][1.9/aclmdlExecuteAsync][needs models]") {
  const AclSession session;
  const ModelRun run(StaticLinearModel());
  run.Write(LinearRows(2));
  const TestDataset output({{nullptr, 0}});
  aclDataBuffer* buffer = ACL(aclmdlGetDatasetBuffer)(output.get(), 0);
  CHECK(ACL(aclmdlExecuteAsync)(run.id(), run.input(), output.get(), nullptr) != ACL_SUCCESS);
  for (int round = 0; round < 2; ++round) {
    REQUIRE_ACL(ACL(aclmdlExecute)(run.id(), run.input(), output.get()));
    void* address = ACL(aclGetDataBufferAddr)(buffer);
    REQUIRE(address != nullptr);
    REQUIRE(ACL(aclGetDataBufferSizeV2)(buffer) >= kLinearBytes);
    std::vector<float> y(2 * 128);
    REQUIRE_ACL(
        ACL(aclrtMemcpy)(y.data(), kLinearBytes, address, kLinearBytes, ACL_MEMCPY_DEVICE_TO_HOST));
    CheckNear(y, LinearAnswer(LinearRows(2)));
    REQUIRE_ACL(ACL(aclrtFree)(address));
    REQUIRE_ACL(ACL(aclUpdateDataBuffer)(buffer, nullptr, 0));
  }
}

TEST_CASE("An execution needs all inputs and outputs",
          "[rule/all-inputs-in-a-dataset][1.9/aclmdlExecute][1.9/aclmdlExecuteAsync]"
          "[needs models]") {
  const AclSession session;
  const ModelRun run(StaticLinearModel());
  const ModelRun gears(BatchLinearModel());
  const TestDataset none({});
  const TestDataset without_gear({EntryOf(gears.input_memory(0))});
  CHECK(ACL(aclmdlExecute)(run.id(), none.get(), run.output()) != ACL_SUCCESS);
  CHECK(ACL(aclmdlExecute)(run.id(), run.input(), none.get()) != ACL_SUCCESS);
  CHECK(ACL(aclmdlExecute)(gears.id(), without_gear.get(), gears.output()) != ACL_SUCCESS);
  CHECK(ACL(aclmdlExecuteAsync)(run.id(), none.get(), run.output(), nullptr) != ACL_SUCCESS);
}

TEST_CASE("Executions of nothing are refused",
          "[1.9/aclmdlExecute][1.9/aclmdlExecuteAsync][needs models]") {
  const AclSession session;
  const ModelRun run(StaticLinearModel());
  CHECK(ACL(aclmdlExecute)(4711, run.input(), run.output()) != ACL_SUCCESS);
  CHECK(ACL(aclmdlExecute)(run.id(), nullptr, run.output()) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlExecute)(run.id(), run.input(), nullptr) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclmdlExecuteAsync)(4711, run.input(), run.output(), nullptr) != ACL_SUCCESS);
  CHECK(ACL(aclmdlExecuteAsync)(run.id(), nullptr, run.output(), nullptr) ==
        ACL_ERROR_INVALID_PARAM);
}

// Up to 64 bytes short pass, one more fails; too large passes. What is short is the said size: the
// memory behind it is all there.
TEST_CASE("A static model checks the sizes of its buffers",
          "[rule/buffer-size-check][1.9/aclmdlExecute][needs models]") {
  const AclSession session;
  ModelRun run(StaticLinearModel());
  run.Write(LinearRows(2));
  const size_t size = ACL(aclmdlGetOutputSizeByIndex)(run.desc(), 0);
  const DeviceBytes memory(size + 1024);
  const auto execute = [&](size_t said_size) {
    const TestDataset output({{memory.get(), said_size}});
    return ACL(aclmdlExecute)(run.id(), run.input(), output.get());
  };
  CHECK(execute(size) == ACL_SUCCESS);
  CHECK(execute(size + 1024) == ACL_SUCCESS);
  CHECK(execute(size - 64) == ACL_SUCCESS);
  CHECK(execute(size - 65) != ACL_SUCCESS);
}

// Another stream is refused while the first is at it; so is unloading.
TEST_CASE("A model id is in flight on one stream",
          "[rule/one-model-id-one-stream][1.9/aclmdlUnload][needs models][needs hostacl][misuse]") {
  const AclSession session;
  const TestStream first;
  const TestStream second;
  const ModelRun run(StaticLinearModel());
  const auto launch = [&run](const TestStream& stream) {
    return ACL(aclmdlExecuteAsync)(run.id(), run.input(), run.output(), stream.get());
  };
  {
    const StreamGate gate(first.get());
    REQUIRE_ACL(launch(first));
    REQUIRE_ACL(launch(first));
    CHECK(launch(second) != ACL_SUCCESS);
    CHECK(ACL(aclmdlUnload)(run.id()) != ACL_SUCCESS);
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(first.get()));
  CHECK(launch(second) == ACL_SUCCESS);
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(second.get()));
}

// One after the other, as the lock that serves them would have it.
TEST_CASE("A model id moves between streams", "[rule/one-model-id-one-stream][needs models]") {
  const AclSession session;
  const TestStream first;
  const TestStream second;
  const ModelRun run(StaticLinearModel());
  run.Write(LinearRows(2));
  for (const TestStream* stream : {&first, &second, &first}) {
    REQUIRE_ACL(ACL(aclmdlExecuteAsync)(run.id(), run.input(), run.output(), stream->get()));
    REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream->get()));
  }
  CheckNear(run.Read(2 * 128), LinearAnswer(LinearRows(2)));
}

TEST_CASE(
    "A model of another context is refused",
    "[rule/model-of-another-context][1.9/aclmdlUnload][needs models][needs hostacl][misuse]") {
  const AclSession session;
  const ModelRun run(StaticLinearModel());
  aclrtContext const mine = CurrentContext();
  aclrtContext other = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateContext)(&other, 0));
  CHECK(ACL(aclmdlExecute)(run.id(), run.input(), run.output()) != ACL_SUCCESS);
  CHECK(ACL(aclmdlUnload)(run.id()) != ACL_SUCCESS);
  REQUIRE_ACL(ACL(aclrtSetCurrentContext)(mine));
  REQUIRE_ACL(ACL(aclrtDestroyContext)(other));
}

// A failure while it runs is told at synchronisation, and the model runs again after it.
TEST_CASE("A failing execution leaves the model usable",
          "[1.9/aclmdlExecuteAsync][rule/failure-at-synchronisation][needs models]"
          "[needs hostacl]") {
  const AclSession session;
  const TestStream stream;
  const LoadedModel model(GatherModel());
  const DeviceBytes wrong(std::vector<int64_t>{4});
  const DeviceBytes right(std::vector<int64_t>{2});
  const DeviceBytes y(sizeof(float));
  const TestDataset wrong_input({EntryOf(wrong)});
  const TestDataset right_input({EntryOf(right)});
  const TestDataset output({EntryOf(y)});
  REQUIRE_ACL(ACL(aclmdlExecuteAsync)(model.id(), wrong_input.get(), output.get(), stream.get()));
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_ERROR_RT_MODEL_EXECUTE);
  REQUIRE_ACL(ACL(aclmdlExecuteAsync)(model.id(), right_input.get(), output.get(), stream.get()));
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_SUCCESS);
  CHECK(y.Read<float>() == std::vector<float>{30});
}

// A load of the linear model into given parts, with buffers of its own.
struct SharedLoad {
  SharedLoad(void* work, size_t work_size, void* weights, size_t weights_size) {
    const std::string file = StaticLinearModel();
    REQUIRE_ACL(ACL(aclmdlLoadFromMemWithMem)(file.data(), file.size(), &id, work, work_size,
                                              weights, weights_size));
  }
  ~SharedLoad() { ACL(aclmdlUnload)(id); }
  SharedLoad(const SharedLoad&) = delete;
  SharedLoad& operator=(const SharedLoad&) = delete;

  uint32_t id = 0;
  DeviceBytes x{LinearRows(2)};
  DeviceBytes y{std::vector<float>(2 * 128 + 64)};
  TestDataset input{{EntryOf(x)}};
  TestDataset output{{EntryOf(y)}};
};

std::vector<float> AnswerOf(const SharedLoad& load) {
  std::vector<float> values = load.y.Read<float>();
  values.resize(2 * 128);
  return values;
}

// Read only: each has its own work memory and stream.
TEST_CASE("Loads that share weights run at once", "[rule/shared-weights][needs models]") {
  const AclSession session;
  const std::string file = StaticLinearModel();
  size_t work_size = 0;
  size_t weights_size = 0;
  REQUIRE_ACL(ACL(aclmdlQuerySizeFromMem)(file.data(), file.size(), &work_size, &weights_size));
  const DeviceBytes weights(weights_size);
  const SharedLoad first(nullptr, 0, weights.get(), weights_size);
  const SharedLoad second(nullptr, 0, weights.get(), weights_size);
  aclrtContext const context = CurrentContext();
  std::array<std::atomic<int>, 2> failures{};
  const auto work = [&](const SharedLoad& load, std::atomic<int>& failed) {
    ACL(aclrtSetCurrentContext)(context);
    aclrtStream stream = nullptr;
    failed += ACL(aclrtCreateStream)(&stream) != ACL_SUCCESS;
    for (int round = 0; round < 50; ++round) {
      failed += ACL(aclmdlExecuteAsync)(load.id, load.input.get(), load.output.get(), stream) !=
                ACL_SUCCESS;
    }
    failed += ACL(aclrtSynchronizeStream)(stream) != ACL_SUCCESS;
    failed += ACL(aclrtDestroyStream)(stream) != ACL_SUCCESS;
  };
  std::thread other([&] { work(second, failures[1]); });
  work(first, failures[0]);
  other.join();
  CHECK(failures[0] == 0);
  CHECK(failures[1] == 0);
  CheckNear(AnswerOf(first), LinearAnswer(LinearRows(2)));
  CheckNear(AnswerOf(second), LinearAnswer(LinearRows(2)));
}

// One after the other.
TEST_CASE("Loads that share work memory take turns", "[rule/shared-work-memory][needs models]") {
  const AclSession session;
  const std::string file = StaticLinearModel();
  size_t work_size = 0;
  size_t weights_size = 0;
  REQUIRE_ACL(ACL(aclmdlQuerySizeFromMem)(file.data(), file.size(), &work_size, &weights_size));
  const DeviceBytes work(std::max(work_size, size_t{32}));
  void* const work_memory = work_size == 0 ? nullptr : work.get();
  const SharedLoad first(work_memory, work_size, nullptr, 0);
  const SharedLoad second(work_memory, work_size, nullptr, 0);
  for (const SharedLoad* load : {&first, &second, &first}) {
    REQUIRE_ACL(ACL(aclmdlExecute)(load->id, load->input.get(), load->output.get()));
    CheckNear(AnswerOf(*load), LinearAnswer(LinearRows(2)));
  }
}

}  // namespace
}  // namespace omserve::hostacl
