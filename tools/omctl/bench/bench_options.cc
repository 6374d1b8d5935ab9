// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "tools/omctl/bench/bench.h"

namespace omserve::bench {
namespace {

constexpr char kExamples[] =
    "Examples:\n"
    "  omctl bench resnet                                  one request after the other\n"
    "  omctl bench resnet --concurrency 1:32:x2            1, 2, 4, ... 32 in flight\n"
    "  omctl bench resnet --rate 500:2000:500              open loop, Poisson arrivals\n"
    "  omctl bench resnet --rate 800 --arrivals constant --deadline 20ms --duration 30s\n"
    "  omctl bench scenes --input image=@00.png --input text='what color is it' --concurrency 8\n"
    "  omctl bench bert --shape input_ids:128 --batch 4 --data requests.json\n"
    "  omctl bench resnet --protocol rest --rest-url 10.0.0.7:8000 --concurrency 8\n"
    "  omctl bench resnet --concurrency 1:64:x2 --plot resnet.svg --csv resnet.csv --json\n"
    "\n"
    "A closed loop (--concurrency) waits for an answer before it asks again, so a slow server is\n"
    "asked less and its latency looks better than it is; it finds the most that the server can "
    "do.\n"
    "An open loop (--rate) asks as independent clients do. There a request's latency counts from\n"
    "when it was due; where it was sent later, the latency from sending stands below it.\n";

void AddLoad(CLI::App& command, BenchCommand& bench) {
  auto* concurrency = command
                          .add_option("--concurrency", bench.concurrency,
                                      "Closed loop: requests in flight; 8, 1,2,8 or 1:32:x2 [1]")
                          ->type_name("SWEEP")
                          ->group("Load");
  command
      .add_option("--rate", bench.rate,
                  "Open loop: requests per second; 500, 500,1000 or "
                  "500:2000:500")
      ->type_name("SWEEP")
      ->group("Load")
      ->excludes(concurrency);
  command.add_option("--arrivals", bench.arrivals, "Of an open loop: poisson or constant")
      ->capture_default_str()
      ->type_name("KIND")
      ->group("Load");
  command
      .add_option("--max-in-flight", bench.max_in_flight,
                  "Of an open loop: what is due beyond waits in the client [1024; REST: 128]")
      ->check(CLI::PositiveNumber)
      ->type_name("N")
      ->group("Load");
  command
      .add_option("--protocol", bench.protocol,
                  "grpc, rest (binary tensors) or rest-json (numbers as text)")
      ->capture_default_str()
      ->check(CLI::IsMember({"grpc", "rest", "rest-json"}))
      ->type_name("NAME")
      ->group("Load");
  command
      .add_option("--rest-url", bench.rest_url,
                  "host:port of the daemon's HTTP; --url is asked for metadata and statistics")
      ->capture_default_str()
      ->type_name("HOST:PORT")
      ->group("Load");
  command.add_option("--threads", bench.threads, "Threads of the client, over gRPC")
      ->capture_default_str()
      ->check(CLI::Range(1, 64))
      ->type_name("N")
      ->group("Load");
}

void AddRequests(CLI::App& command, BenchCommand& bench) {
  command.add_option("--data", bench.inputs.data, "random, zero, or a JSON file of requests")
      ->capture_default_str()
      ->type_name("KIND|FILE")
      ->group("Requests");
  command
      .add_option("--input", bench.inputs.values,
                  "One input, NAME=VALUE as for `omctl infer`: JSON, @raw-file, text; repeatable")
      ->type_name("NAME=VALUE")
      ->group("Requests");
  command
      .add_option("--shape", bench.inputs.shapes,
                  "Open sizes of an input, NAME:SIZES without the batch; repeatable")
      ->type_name("NAME:N,N")
      ->group("Requests");
  command.add_option("--batch", bench.inputs.batch, "Rows of each request")
      ->capture_default_str()
      ->check(CLI::PositiveNumber)
      ->type_name("N")
      ->group("Requests");
  command.add_option("--output", bench.outputs, "Only these outputs; repeatable")
      ->type_name("NAME")
      ->group("Requests");
  command.add_option("--model-version", bench.version, "Version [the latest]")->group("Requests");
  command
      .add_option("--deadline", bench.deadline,
                  "Of each request; later answers are errors or not good [none]")
      ->type_name("TIME")
      ->group("Requests");
  command.add_option("--timeout", bench.timeout, "The request parameter `timeout` [none]")
      ->type_name("TIME")
      ->group("Requests");
  command.add_option("--priority", bench.priority, "The request parameter `priority` [none]")
      ->type_name("N")
      ->group("Requests");
  command.add_option("--seed", bench.inputs.seed, "Of random data and Poisson arrivals")
      ->capture_default_str()
      ->type_name("N")
      ->group("Requests");
}

void AddMeasuring(CLI::App& command, BenchCommand& bench) {
  command.add_option("--warmup", bench.warm_up, "Load before measuring")
      ->capture_default_str()
      ->type_name("TIME")
      ->group("Measuring");
  command
      .add_option("--window", bench.window,
                  "Measured until three windows in a row agree within 10 %")
      ->capture_default_str()
      ->type_name("TIME")
      ->group("Measuring");
  command.add_option("--max-windows", bench.max_windows, "But no more than so many")
      ->capture_default_str()
      ->check(CLI::Range(1, 10000))
      ->type_name("N")
      ->group("Measuring");
  command.add_option("--duration", bench.duration, "Measured just so long, agreeing or not")
      ->type_name("TIME")
      ->group("Measuring");
}

}  // namespace

CLI::App* AddBench(CLI::App& app, BenchCommand& bench) {
  CLI::App* command = app.add_subcommand(
      "bench", "Load a model and print its latency, throughput and where the time goes");
  command->add_option("MODEL", bench.model, "Name of a model or pipeline")->required();
  AddLoad(*command, bench);
  AddRequests(*command, bench);
  AddMeasuring(*command, bench);
  command->add_option("--plot", bench.plot, "Write a picture of the results")
      ->type_name("FILE.svg")
      ->group("Results");
  command->add_option("--csv", bench.csv, "Write the results as a table of numbers")
      ->type_name("FILE.csv")
      ->group("Results");
  command->add_flag("--quiet", bench.quiet, "No progress on standard error")->group("Results");
  command->footer(kExamples);
  return command;
}

}  // namespace omserve::bench
