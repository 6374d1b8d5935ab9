// SPDX-License-Identifier: Apache-2.0
// Tensors as JSON on one core: bytes of JSON text a second of its time, from a request's body into
// pinned memory and from an answer's tensors into its body, beside what Boost.JSON needs for a
// document of the same text. Rounds of the two alternate, so that whatever the machine does happens
// to both.
//
//   build/release/tests/bin/json_bench --rounds 21 --only read
#include <fmt/format.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "runtime/acl/device.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/memory/host_pool.h"
#include "server/http/infer_json.h"
#include "tests/bench/bench_rows.h"

namespace omserve::bench {
namespace {

namespace json = boost::json;
using server::InferInput;

// As an image of 3 x 640 x 640 has.
constexpr int64_t kElements = 3 * 640 * 640;

// What tensors are made of.
struct Kind {
  const char* name;
  DataType type;
  std::function<double(std::mt19937_64&)> draw;
  // The text of an element as clients write it; nullptr: as our answers have it.
  std::string (*spelled)(double) = nullptr;
  const char* comma = ",";
};

double AnyFloat(std::mt19937_64& random) {
  while (true) {
    const auto bits = static_cast<uint32_t>(random());
    float number = 0;
    std::memcpy(&number, &bits, sizeof(number));
    if (std::isfinite(number)) {
      return number;
    }
  }
}

std::vector<Kind> Kinds() {
  const auto uniform = [](std::mt19937_64& random) {
    return static_cast<double>(std::uniform_real_distribution<float>(0, 1)(random));
  };
  const auto normal = [](std::mt19937_64& random) {
    return static_cast<double>(std::normal_distribution<float>(0, 1)(random));
  };
  const auto wide = [](std::mt19937_64& random) {
    return std::normal_distribution<double>(0, 1)(random);
  };
  const auto pixel = [](std::mt19937_64& random) { return static_cast<double>(random() % 256); };
  const auto token = [](std::mt19937_64& random) { return static_cast<double>(random() % 50000); };
  // A float32 array of numpy goes through Python's doubles, which are written with 17 digits.
  const auto python = [](double number) { return fmt::format("{}", number); };
  return {{"fp32/uniform", DataType::kFp32, uniform},
          {"fp32/normal", DataType::kFp32, normal},
          {"fp32/python", DataType::kFp32, normal, python, ", "},
          {"fp32/pixels", DataType::kFp32, pixel},
          {"fp32/any", DataType::kFp32, AnyFloat},
          {"fp64/normal", DataType::kFp64, wide},
          {"int64/tokens", DataType::kInt64, token},
          {"uint8/pixels", DataType::kUint8, pixel}};
}

template <typename T>
void Append(double number, std::string* raw) {
  const T element = static_cast<T>(number);
  char bytes[sizeof(T)];
  std::memcpy(bytes, &element, sizeof(T));
  raw->append(bytes, sizeof(T));
}

void AppendElement(DataType type, double number, std::string* raw) {
  switch (type) {
    case DataType::kFp32:
      return Append<float>(number, raw);
    case DataType::kFp64:
      return Append<double>(number, raw);
    case DataType::kInt64:
      return Append<int64_t>(number, raw);
    default:
      return Append<uint8_t>(number, raw);
  }
}

server::ModelHandle MakeModel(DataType type) {
  auto model = std::make_shared<server::Model>();
  model->name = "m";
  model->version = 1;
  model->plan = std::make_shared<scheduler::Plan>();
  model->inputs = {{"x", type, {kElements}}};
  model->outputs = {{"y", type, {kElements}}};
  return model;
}

// The same tensor in each form.
struct Sample {
  server::ModelHandle model;
  std::string raw;
  std::string body;      // A request.
  json::value document;  // Of an array of its numbers.
};

absl::StatusOr<std::string> AnswerText(const Sample& sample) {
  server::InferResult result;
  result.model = sample.model;
  result.outputs.push_back(
      {.output = 0, .dims = {kElements}, .bytes = std::as_bytes(std::span(sample.raw))});
  ASSIGN_OR_RETURN(server::RestAnswer answer, server::BuildInferAnswer({}, result));
  return std::move(answer.json);
}

absl::StatusOr<Sample> MakeSample(const Kind& kind) {
  Sample sample{.model = MakeModel(kind.type)};
  std::mt19937_64 random(20261126);
  std::string spelled = "[";
  for (int64_t i = 0; i < kElements; ++i) {
    const double number = kind.draw(random);
    AppendElement(kind.type, number, &sample.raw);
    if (kind.spelled != nullptr) {
      spelled += (i > 0 ? kind.comma : "") + kind.spelled(number);
    }
  }
  spelled += "]";
  if (kind.spelled == nullptr) {
    ASSIGN_OR_RETURN(const std::string answer, AnswerText(sample));
    spelled = answer.substr(answer.find(R"("data":)") + 7);
    spelled.resize(spelled.find(']') + 1);
  }
  sample.body =
      fmt::format(R"({{"inputs":[{{"name":"x","shape":[{}],"datatype":"{}","data":{}}}]}})",
                  kElements, DataTypeName(kind.type), spelled);
  sample.document = json::parse(spelled);
  return sample;
}

absl::Status ReadBody(const Sample& sample, std::span<std::byte> pinned) {
  ASSIGN_OR_RETURN(const server::RestCall rest,
                   server::ParseInferBody(sample.body, std::nullopt, sample.model));
  const InferInput& input = rest.call.inputs.front();
  return input.encode(input, pinned.first(input.size_bytes()));
}

// Seconds of this core that `work` takes, whatever else the machine does.
double CoreSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

template <typename Work>
absl::StatusOr<double> Timed(const Work& work) {
  const double start = CoreSeconds();
  RETURN_IF_ERROR(work());
  return CoreSeconds() - start;
}

// The median speed of `ours`, and how much longer `theirs` takes.
template <typename Ours, typename Theirs>
absl::StatusOr<Row> Compare(std::string name, size_t text_bytes, int rounds, const Ours& ours,
                            const Theirs& theirs) {
  std::vector<double> speeds;
  std::vector<double> their_speeds;
  std::vector<double> ratios;
  for (int round = 0; round <= rounds; ++round) {
    ASSIGN_OR_RETURN(const double our_time, Timed(ours));
    ASSIGN_OR_RETURN(const double their_time, Timed(theirs));
    if (round > 0) {  // The first touches memory that nobody had.
      speeds.push_back(static_cast<double>(text_bytes) / our_time / 1e6);
      their_speeds.push_back(static_cast<double>(text_bytes) / their_time / 1e6);
      ratios.push_back(their_time / our_time);
    }
  }
  return Row{std::move(name),
             {{"mb_per_s", Median(speeds)},
              {"boost_mb_per_s", Median(their_speeds)},
              {"ratio", Median(ratios)}}};
}

absl::StatusOr<Row> BenchRead(const Kind& kind, std::span<std::byte> pinned, int rounds) {
  ASSIGN_OR_RETURN(const Sample sample, MakeSample(kind));
  RETURN_IF_ERROR(ReadBody(sample, pinned));
  if (std::memcmp(pinned.data(), sample.raw.data(), sample.raw.size()) != 0) {
    return Internal("{}: another tensor was read than was written", kind.name);
  }
  return Compare(
      fmt::format("read/{}", kind.name), sample.body.size(), rounds,
      [&] { return ReadBody(sample, pinned); },
      [&]() -> absl::Status {
        json::monotonic_resource memory;
        json::error_code error;
        const json::value read = json::parse(sample.body, error, &memory);
        return error ? Internal("{}: {}", kind.name, error.message()) : absl::OkStatus();
      });
}

absl::StatusOr<Row> BenchWrite(const Kind& kind, int rounds) {
  ASSIGN_OR_RETURN(const Sample sample, MakeSample(kind));
  ASSIGN_OR_RETURN(const std::string text, AnswerText(sample));
  return Compare(
      fmt::format("write/{}", kind.name), text.size(), rounds,
      [&] { return AnswerText(sample).status(); },
      [&]() -> absl::Status {
        return json::serialize(sample.document).empty() ? Internal("nothing written")
                                                        : absl::OkStatus();
      });
}

absl::StatusOr<std::vector<Row>> RunAll(const std::string& only, int rounds) {
  InitLog({.level = LogLevel::kWarning, .json = false, .file = ""});
  const std::string settings = "json_bench.json";
  RETURN_IF_ERROR(WriteFileAtomically(settings, "{}"));
  ASSIGN_OR_RETURN(const auto runtime,
                   acl::Runtime::Open({.library = OMSERVE_BINARY_DIR "/lib/libascendcl.so",
                                       .config_file = settings}));
  ASSIGN_OR_RETURN(const auto device, runtime->OpenDevice(0));
  ASSIGN_OR_RETURN(const auto pool, memory::HostPool::Create(*device, size_t{64} << 20));
  ASSIGN_OR_RETURN(const memory::HostBlock block, pool->Allocate(kElements * sizeof(double)));
  std::vector<Row> rows;
  for (const Kind& kind : Kinds()) {
    if (fmt::format("read/{}", kind.name).find(only) != std::string::npos) {
      ASSIGN_OR_RETURN(rows.emplace_back(), BenchRead(kind, block.bytes(), rounds));
    }
    if (kind.spelled == nullptr &&
        fmt::format("write/{}", kind.name).find(only) != std::string::npos) {
      ASSIGN_OR_RETURN(rows.emplace_back(), BenchWrite(kind, rounds));
    }
  }
  return rows;
}

int Main(int argc, char** argv) {
  CLI::App app{"Tensors as JSON, read and written on one core, beside Boost.JSON."};
  std::string only;
  int rounds = 11;
  std::string format;
  app.add_option("--only", only, "Run the rows whose name contains this.");
  app.add_option("--rounds", rounds, "Times each is measured; the median counts.");
  app.add_option("--benchmark_format", format, "Taken as it comes: the output is always JSON.");
  CLI11_PARSE(app, argc, argv);
  const absl::StatusOr<std::vector<Row>> rows = RunAll(only, rounds);
  if (!rows.ok()) {
    fmt::print(stderr, "json_bench: {}\n", MessageOf(rows.status()));
    return 1;
  }
  fmt::print("{}\n", ToJson(*rows, fmt::format("{} rounds of {} elements", rounds, kElements)));
  return 0;
}

}  // namespace
}  // namespace omserve::bench

int main(int argc, char** argv) { return omserve::bench::Main(argc, argv); }
