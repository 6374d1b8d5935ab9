// SPDX-License-Identifier: Apache-2.0
// omctl: the operator's command line.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "runtime/base/status_macros.h"
#include "tools/omctl/commands.h"

namespace omserve::omctl {
namespace {

constexpr char kExamples[] =
    "Examples:\n"
    "  omctl status\n"
    "  omctl models --json\n"
    "  omctl infer scenes --image 00.png --text \"what color is the leftmost object\"\n"
    "  omctl infer text --input input_ids=[[1,50,62,2]] --input attention_mask=@mask.bin\n"
    "  omctl infer scenes --image a.png --text \"how many objects\" --trace\n"
    "  source <(omctl completion bash)\n";

int Report(const absl::Status& status) {
  if (status.ok()) {
    return 0;
  }
  const std::string message(MessageOf(status));
  fmt::print(stderr, "omctl: {}: {}\n", absl::StatusCodeToString(status.code()), message);
  return 1;
}

int Run(int argc, char** argv) {
  CLI::App app("Operates an omserve daemon over gRPC.", "omctl");
  app.footer(kExamples);
  app.set_version_flag("--version", OMSERVE_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  CommonOptions common;
  app.add_option("--url", common.url, "host:port of the daemon's gRPC")->capture_default_str();
  app.add_flag("--json", common.json, "Print JSON instead of tables");

  InferCommand infer;
  CLI::App* infer_command = app.add_subcommand("infer", "Ask a model and print its outputs");
  infer_command->add_option("MODEL", infer.model, "Name of a model or pipeline")->required();
  infer_command
      ->add_option("--image", infer.images,
                   "Picture file for a BYTES input, [NAME=]FILE; may be repeated")
      ->type_name("FILE");
  infer_command
      ->add_option("--text", infer.texts, "Text for a BYTES input, [NAME=]TEXT; may be repeated")
      ->type_name("TEXT");
  infer_command
      ->add_option("--input", infer.inputs,
                   "Any input, NAME=VALUE: JSON like [[1,2]], @raw-file, or text for BYTES")
      ->type_name("NAME=VALUE");
  infer_command->add_option("--output", infer.outputs, "Only these outputs; may be repeated");
  infer_command->add_option("--model-version", infer.version, "Version; default: the latest");
  infer_command->add_option("--timeout-ms", infer.timeout_ms, "Deadline of the request")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  infer_command->add_flag("--trace", infer.trace, "Show each step: lane, batch, time");

  const CLI::App* models_command = app.add_subcommand("models", "List models with their tensors");
  const CLI::App* status_command =
      app.add_subcommand("status", "Health of the daemon and counters of its models");
  std::string shell;
  CLI::App* completion_command =
      app.add_subcommand("completion", "Print a completion script for a shell");
  completion_command->add_option("SHELL", shell, "bash or zsh")->required();

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // CLI11 has no other way to say it.
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  }
  if (infer_command->parsed()) {
    return Report(Infer(common, infer));
  }
  if (models_command->parsed()) {
    return Report(Models(common));
  }
  if (status_command->parsed()) {
    return Report(Status(common));
  }
  return Report(Completion(shell));
}

}  // namespace
}  // namespace omserve::omctl

int main(int argc, char** argv) { return omserve::omctl::Run(argc, argv); }
