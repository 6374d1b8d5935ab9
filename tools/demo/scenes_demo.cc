// SPDX-License-Identifier: Apache-2.0
// Asks a running omserved all sample questions of the scenes model and checks every answer.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <boost/json.hpp>
#include <cmath>
#include <cstring>
#include <thread>
#include <utility>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"
#include "tools/client/grpc_client.h"
#include "tools/client/table.h"
#include "tools/demo/overlap.h"
#include "tools/demo/questions.h"

namespace omserve::demo {
namespace {

namespace json = boost::json;

// The same arithmetic on another machine's kernels: PyTorch and ONNX Runtime differ by about 1e-5.
constexpr float kLogitTolerance = 1e-3F;

struct Options {
  std::string target = "127.0.0.1:8001";
  std::string samples = "tools/demo/scenes/samples";
  std::string model = "scenes";
  int concurrency = 4;
  int rounds = 1;
  bool quiet = false;
};

struct Answer {
  absl::Status status;
  std::string word;
  float logit_error = 0;
  double latency_ms = 0;
  // Device time of the steps of each branch.
  std::vector<Interval> vision;
  std::vector<Interval> text;
  int most_rows = 0;  // Of the batches it was part of.
};

absl::Status ReadTrace(const std::string& trace_json, Answer* answer) {
  json::error_code error;
  const json::value trace = json::parse(trace_json, error);
  if (error || !trace.is_array()) {
    return Internal("the server's trace is not a JSON array");
  }
  for (const json::value& value : trace.as_array()) {
    const json::object* step = value.if_object();
    const json::value* name = step == nullptr ? nullptr : step->if_contains("step");
    if (name == nullptr || !name->is_string()) {
      return Internal("a step of the server's trace has no name");
    }
    const auto number = [&](const char* key) -> uint64_t {
      const json::value* found = step->if_contains(key);
      json::error_code bad;
      const auto result = found == nullptr ? uint64_t{0} : found->to_number<uint64_t>(bad);
      return bad ? 0 : result;
    };
    const Interval interval{number("start_us"), number("end_us")};
    const std::string_view step_name(name->as_string().data(), name->as_string().size());
    if (step_name == "vision_a" || step_name == "vision_b") {
      answer->vision.push_back(interval);
      answer->most_rows = std::max(answer->most_rows, static_cast<int>(number("batch_rows")));
    } else if (step_name == "text") {
      answer->text.push_back(interval);
    }
  }
  return absl::OkStatus();
}

absl::Status Compare(const client::InferResult& result, const Question& question, Answer* answer) {
  const client::Tensor* word = result.Find("answer");
  const client::Tensor* logits = result.Find("logits");
  if (word == nullptr || logits == nullptr) {
    return Internal("the server sent no 'answer' or no 'logits'");
  }
  ASSIGN_OR_RETURN(const std::vector<std::string_view> words,
                   DecodeBytesTensor(std::as_bytes(std::span(word->raw)), 1));
  answer->word = std::string(words[0]);
  std::vector<float> values(logits->raw.size() / sizeof(float));
  std::memcpy(values.data(), logits->raw.data(), values.size() * sizeof(float));
  if (values.size() != question.logits.size()) {
    return Internal("{} logits came, {} were expected", values.size(), question.logits.size());
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const float error = std::fabs(values[i] - question.logits[i]);
    // Written so that a NaN counts as the largest error.
    answer->logit_error = error <= answer->logit_error ? answer->logit_error : error;
  }
  return ReadTrace(result.trace_json, answer);
}

Answer Ask(client::GrpcClient& client, const Options& options, const Question& question) {
  Answer answer;
  const auto ask = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(client::Tensor image, client::BytesTensor("image", {question.png}, true));
    ASSIGN_OR_RETURN(client::Tensor text, client::BytesTensor("text", {question.text}, true));
    ASSIGN_OR_RETURN(
        const client::InferResult result,
        client.Infer(options.model, {std::move(image), std::move(text)}, {.trace = true}));
    answer.latency_ms = static_cast<double>(result.latency.count()) / 1e6;
    return Compare(result, question, &answer);
  };
  answer.status = ask();
  return answer;
}

// All questions, `concurrency` at a time.
std::vector<Answer> AskAll(client::GrpcClient& client, const Options& options,
                           const std::vector<Question>& questions) {
  std::vector<Answer> answers(questions.size() * static_cast<size_t>(options.rounds));
  std::atomic<size_t> next{0};  // Relaxed: only hands out places.
  std::vector<std::jthread> threads;
  for (int t = 0; t < options.concurrency; ++t) {
    threads.emplace_back([&] {
      for (size_t i = next.fetch_add(1, std::memory_order_relaxed); i < answers.size();
           i = next.fetch_add(1, std::memory_order_relaxed)) {
        answers[i] = Ask(client, options, questions[i % questions.size()]);
      }
    });
  }
  threads.clear();  // Joins.
  return answers;
}

double Percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<size_t>(std::lround(share * last))];
}

void PrintAnswers(const std::vector<Question>& questions, const std::vector<Answer>& answers) {
  std::vector<std::vector<std::string>> rows = {
      {"PICTURE", "QUESTION", "ANSWER", "EXPECTED", "", "MS"}};
  for (size_t i = 0; i < questions.size(); ++i) {
    const Answer& answer = answers[i];
    const bool agrees = answer.status.ok() && answer.word == questions[i].expected;
    rows.push_back({questions[i].image, questions[i].text,
                    answer.status.ok() ? answer.word : std::string(MessageOf(answer.status)),
                    questions[i].expected, agrees ? "ok" : "WRONG",
                    fmt::format("{:.2f}", answer.latency_ms)});
  }
  fmt::print("{}\n", client::FormatTable(rows));
}

void PrintTimes(const Options& options, const std::vector<Answer>& answers, double seconds) {
  std::vector<double> latencies;
  std::vector<Interval> vision;
  std::vector<Interval> text;
  int most_rows = 0;
  for (const Answer& answer : answers) {
    if (answer.status.ok()) {
      latencies.push_back(answer.latency_ms);
      vision.insert(vision.end(), answer.vision.begin(), answer.vision.end());
      text.insert(text.end(), answer.text.begin(), answer.text.end());
      most_rows = std::max(most_rows, answer.most_rows);
    }
  }
  if (latencies.empty()) {
    return;
  }
  fmt::print(
      "latency with {} questions at a time: p50 {:.2f} ms, p90 {:.2f} ms, p99 {:.2f} ms, "
      "longest {:.2f} ms; {:.0f} answers/s\n",
      options.concurrency, Percentile(latencies, 0.5), Percentile(latencies, 0.9),
      Percentile(latencies, 0.99), Percentile(latencies, 1.0),
      static_cast<double>(latencies.size()) / seconds);
  const std::vector<Interval> vision_busy = Union(std::move(vision));
  const std::vector<Interval> text_busy = Union(std::move(text));
  if (Length(text_busy) == 0) {
    fmt::print("the device library gives no stream times: overlap not known\n");
    return;
  }
  const uint64_t both = Length(Intersection(vision_busy, text_busy));
  fmt::print(
      "vision streams busy {:.2f} ms, text stream busy {:.2f} ms, both at once {:.2f} ms: "
      "{:.0f} % of the text work ran beside vision; largest vision batch {} rows\n",
      static_cast<double>(Length(vision_busy)) / 1e3, static_cast<double>(Length(text_busy)) / 1e3,
      static_cast<double>(both) / 1e3,
      100.0 * static_cast<double>(both) / static_cast<double>(Length(text_busy)), most_rows);
}

int Run(const Options& options) {
  const absl::StatusOr<std::vector<Question>> questions = LoadQuestions(options.samples);
  if (!questions.ok()) {
    fmt::print(stderr, "scenes_demo: {}\n", MessageOf(questions.status()));
    return 1;
  }
  client::GrpcClient client(options.target);
  // The first call opens the connection; its time is not the model's.
  static_cast<void>(Ask(client, options, questions->front()));
  const auto start = std::chrono::steady_clock::now();
  const std::vector<Answer> answers = AskAll(client, options, *questions);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!options.quiet) {
    PrintAnswers(*questions, answers);
  }
  PrintTimes(options, answers, seconds);
  size_t agree = 0;
  float logit_error = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    const Question& question = (*questions)[i % questions->size()];
    if (!answers[i].status.ok()) {
      fmt::print(stderr, "scenes_demo: {} \"{}\": {}\n", question.image, question.text,
                 MessageOf(answers[i].status));
      continue;
    }
    logit_error = std::max(logit_error, answers[i].logit_error);
    agree += answers[i].word == question.expected && answers[i].logit_error <= kLogitTolerance;
  }
  fmt::print("largest difference of a logit from PyTorch's: {:.1e} (allowed {:.0e})\n", logit_error,
             kLogitTolerance);
  fmt::print("{} of {} answers agree\n", agree, answers.size());
  return agree == answers.size() ? 0 : 1;
}

}  // namespace
}  // namespace omserve::demo

int main(int argc, char** argv) {
  omserve::demo::Options options;
  CLI::App app("Asks a running omserved the sample questions of the scenes model.", "scenes_demo");
  app.add_option("--grpc", options.target, "host:port of omserved's gRPC")->capture_default_str();
  app.add_option("--samples", options.samples, "Folder of samples.json, logits.npy and pictures")
      ->capture_default_str();
  app.add_option("--model", options.model, "Name of the pipeline")->capture_default_str();
  app.add_option("--concurrency", options.concurrency, "Questions under way at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  app.add_option("--rounds", options.rounds, "Times each question is asked")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  app.add_flag("--quiet", options.quiet, "Only the summary");
  CLI11_PARSE(app, argc, argv);
  return omserve::demo::Run(options);
}
