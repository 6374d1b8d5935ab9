// SPDX-License-Identifier: Apache-2.0
// omctl: the operator's command line.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "runtime/base/log.h"
#include "runtime/base/status_macros.h"
#include "tools/omctl/bench/bench.h"
#include "tools/omctl/commands.h"

namespace omserve::omctl {
namespace {

constexpr char kExamples[] =
    "Examples:\n"
    "  omctl status\n"
    "  omctl models --json\n"
    "  omctl load text && omctl unload text\n"
    "  omctl label text stable=3 canary=4 && omctl traffic text stable=90 canary=10\n"
    "  omctl label text stable=4 && omctl rollback text\n"
    "  omctl infer scenes --image 00.png --text \"what color is the leftmost object\"\n"
    "  omctl infer text --input input_ids=[[1,50,62,2]] --input attention_mask=@mask.bin\n"
    "  omctl infer scenes --image a.png --text \"how many objects\" --trace\n"
    "  omctl bench scenes --input image=@00.png --input text=\"what color is it\" --concurrency "
    "1:8:x2\n"
    "  omctl trace capture --seconds 5 -o trace.json\n"
    "  omctl device --library /usr/local/Ascend/ascend-toolkit/latest/lib64/libascendcl.so\n"
    "  omctl device errors 507015\n"
    "  omctl --url models:8001 --tls-ca ca.crt --token-file gateway.token models\n"
    "  omctl token new gateway --model 'resnet*' --out gateway.token >>clients.yaml\n"
    "  source <(omctl completion bash)\n";

int Report(const absl::Status& status) {
  if (status.ok()) {
    return 0;
  }
  const std::string message(MessageOf(status));
  fmt::print(stderr, "omctl: {}: {}\n", absl::StatusCodeToString(status.code()), message);
  return 1;
}

CLI::App* AddInfer(CLI::App& app, InferCommand& infer) {
  CLI::App* command = app.add_subcommand("infer", "Ask a model and print its outputs");
  command->add_option("MODEL", infer.model, "Name of a model or pipeline")->required();
  command
      ->add_option("--image", infer.images,
                   "Picture file for a BYTES input, [NAME=]FILE; may be repeated")
      ->type_name("FILE");
  command->add_option("--text", infer.texts, "Text for a BYTES input, [NAME=]TEXT; may be repeated")
      ->type_name("TEXT");
  command
      ->add_option("--input", infer.inputs,
                   "Any input, NAME=VALUE: JSON like [[1,2]], @raw-file, or text for BYTES")
      ->type_name("NAME=VALUE");
  command->add_option("--output", infer.outputs, "Only these outputs; may be repeated");
  command->add_option("--model-version", infer.version, "Version; default: the latest");
  command->add_option("--timeout-ms", infer.timeout_ms, "Deadline of the request")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_flag("--trace", infer.trace, "Show each step: lane, batch, time");
  return command;
}

CLI::App* AddLoad(CLI::App& app, LoadCommand& load) {
  CLI::App* command = app.add_subcommand("load", "Load a model, or load it again");
  command->add_option("MODEL", load.model, "Name of a model or pipeline")->required();
  command
      ->add_option("--config", load.config,
                   "Configuration for this load, JSON; in place of the model's own")
      ->type_name("FILE");
  command
      ->add_option(
          "--file", load.files,
          "A file for this load, VERSION/PATH=FILE; with --config, in place of the model's "
          "folder; may be repeated")
      ->type_name("VERSION/PATH=FILE");
  command->add_option("--timeout", load.timeout_s, "Seconds to wait for the load")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  return command;
}

CLI::App* AddUnload(CLI::App& app, UnloadCommand& unload) {
  CLI::App* command =
      app.add_subcommand("unload", "Take a model out of service; its requests are finished");
  command->add_option("MODEL", unload.model, "Name of a model or pipeline")->required();
  command->add_flag("--dependents", unload.dependents,
                    "Also the models that were loaded as parts of this pipeline alone");
  command->add_option("--timeout", unload.timeout_s, "Seconds to wait for its last request")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  return command;
}

CLI::App* AddDrain(CLI::App& app, DrainCommand& drain) {
  CLI::App* command = app.add_subcommand(
      "drain", "Take one version out of service, or all, and wait for its last request");
  command->add_option("MODEL", drain.model, "Name of a model or pipeline")->required();
  command->add_option("--model-version", drain.version, "Left out: all of them")
      ->check(CLI::PositiveNumber);
  command->add_option("--timeout", drain.timeout_s, "Seconds to wait for its last request")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  return command;
}

CLI::App* AddVerify(CLI::App& app, VerifyCommand& verify) {
  CLI::App* command = app.add_subcommand(
      "verify", "Check a model's files, as the daemon finds them now, against their signatures");
  command->add_option("MODEL", verify.model, "Name of a model or pipeline")->required();
  command->add_option("--model-version", verify.version, "Left out: all that there are")
      ->check(CLI::PositiveNumber);
  return command;
}

CLI::App* AddLabel(CLI::App& app, LabelCommand& label) {
  CLI::App* command = app.add_subcommand(
      "label", "Names for versions, that clients use in place of a number; shown without LABEL");
  command->add_option("MODEL", label.model, "Name of a model or pipeline")->required();
  command->add_option("LABEL", label.labels, "LABEL=VERSION; all of them move at once")
      ->type_name("LABEL=VERSION ...");
  command->add_option("--remove", label.remove, "A label to take away; may be repeated")
      ->type_name("LABEL");
  return command;
}

CLI::App* AddTraffic(CLI::App& app, TrafficCommand& traffic) {
  CLI::App* command = app.add_subcommand(
      "traffic", "Share out the requests that name no version; shown without SHARE");
  command->add_option("MODEL", traffic.model, "Name of a model or pipeline")->required();
  CLI::Option* shares =
      command->add_option("SHARE", traffic.shares, "LABEL=PERCENT; together they make 100")
          ->type_name("LABEL=PERCENT ...");
  command->add_flag("--clear", traffic.clear, "Send them to the highest version served")
      ->excludes(shares);
  return command;
}

CLI::App* AddRollBack(CLI::App& app, RollBackCommand& rollback) {
  CLI::App* command =
      app.add_subcommand("rollback", "Lead a label back to the version where it led before");
  command->add_option("MODEL", rollback.model, "Name of a model or pipeline")->required();
  command->add_option("--label", rollback.label, "Which label")->capture_default_str();
  return command;
}

CLI::App* AddEpoch(CLI::App& app, EpochCommand& epoch) {
  CLI::App* command = app.add_subcommand(
      "epoch", "The security epoch from which signed versions are loaded; shown without FLOOR");
  command->add_option("MODEL", epoch.model, "Name of a model or pipeline")->required();
  command->add_option("FLOOR", epoch.floor, "Versions of a lower epoch are refused from now on");
  command->add_flag("--allow-lower", epoch.allow_lower,
                    "Lower it too: versions that were taken back may be loaded again");
  return command;
}

CLI::App* AddDevice(CLI::App& app, DeviceCommand& device) {
  CLI::App* command =
      app.add_subcommand("device", "This machine's AscendCL library and devices; needs no server");
  command
      ->add_option("--library", device.library,
                   "libascendcl.so to use [CANN's, else the CPU device's]")
      ->type_name("FILE");
  command
      ->add_option("--config", device.config, "Settings file of omserved: its `device` part counts")
      ->type_name("FILE");
  command->add_flag("--symbols", device.symbols,
                    "List all functions of AscendCL that omserve calls, not only missing ones");
  return command;
}

CLI::App* AddDeviceErrors(CLI::App& device_command, DeviceErrorsCommand& errors) {
  CLI::App* command =
      device_command.add_subcommand("errors", "Explain AscendCL's codes: cause, retry, advice");
  command->add_option("CODE", errors.code, "A code or a part of its name; all when left out");
  command->add_flag("--markdown", errors.markdown, "Print the page docs/device-errors.md");
  return command;
}

CLI::App* AddTraceCapture(CLI::App& app, TraceCaptureCommand& capture) {
  CLI::App* trace = app.add_subcommand("trace", "What the daemon does, as a picture");
  trace->require_subcommand(1);
  CLI::App* command = trace->add_subcommand(
      "capture", "Trace every request for some seconds; open the file in ui.perfetto.dev");
  command->add_option("--seconds", capture.seconds, "How long")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 600.0));
  command->add_option("-o,--output", capture.output, "File to write; - for standard output")
      ->capture_default_str()
      ->type_name("FILE");
  command
      ->add_option("--rest-url", capture.rest_url, "host:port of the daemon's REST for operators")
      ->capture_default_str();
  return command;
}

void AddConnection(CLI::App& app, CommonOptions& common) {
  app.add_option("--url", common.given_url,
                 "host:port of the daemon's gRPC, or unix:PATH [127.0.0.1:8001; what changes "
                 "models: 127.0.0.1:8003, the port of operators]");
  app.add_option("--token-file", common.files.token, "Bearer token to say who calls")
      ->type_name("FILE");
  app.add_flag("--tls", common.files.tls, "Speak TLS; any of the next options does too");
  app.add_option("--tls-ca", common.files.ca, "Who signs servers, PEM [the system's]")
      ->type_name("FILE");
  app.add_option("--tls-cert", common.files.certificate, "Certificate to show, PEM")
      ->type_name("FILE");
  app.add_option("--tls-key", common.files.key, "Its key, PEM")->type_name("FILE");
  app.add_option("--tls-server-name", common.files.server_name,
                 "Name in the server's certificate [the host's]")
      ->type_name("NAME");
  app.add_flag("--json", common.json, "Print JSON instead of tables");
}

CLI::App* AddToken(CLI::App& app, TokenCommand& token) {
  CLI::App* group = app.add_subcommand("token", "Bearer tokens; needs no server");
  group->require_subcommand(1);
  CLI::App* command = group->add_subcommand(
      "new", "Make a token, and the entry that stands for it in the server's file of clients");
  command->add_option("NAME", token.name, "Of the client, in logs")->required();
  command->add_option("--role", token.role, "What it may do")
      ->capture_default_str()
      ->check(CLI::IsMember({"infer", "control", "admin"}));
  command
      ->add_option("--model", token.models,
                   "Models that it may use, '*' for any text; may be repeated [all]")
      ->type_name("PATTERN");
  command
      ->add_option("--out", token.out,
                   "File for the token; else it is printed, and the entry on standard error")
      ->type_name("FILE");
  return command;
}

int Run(int argc, char** argv) {
  // The library's own lines are for a daemon's log; a command prints what it found.
  InitLog({.level = LogLevel::kError, .json = false, .file = ""});
  CLI::App app("Operates an omserve daemon over gRPC, and looks at this machine's devices.",
               "omctl");
  app.footer(kExamples);
  app.set_version_flag("--version", OMSERVE_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  CommonOptions common;
  AddConnection(app, common);

  InferCommand infer;
  const CLI::App* infer_command = AddInfer(app, infer);
  const CLI::App* models_command = app.add_subcommand("models", "List models with their tensors");
  const CLI::App* status_command =
      app.add_subcommand("status", "Health of the daemon and counters of its models");
  LoadCommand load;
  const CLI::App* load_command = AddLoad(app, load);
  UnloadCommand unload;
  const CLI::App* unload_command = AddUnload(app, unload);
  DrainCommand drain;
  const CLI::App* drain_command = AddDrain(app, drain);
  VerifyCommand verify;
  const CLI::App* verify_command = AddVerify(app, verify);
  LabelCommand label;
  const CLI::App* label_command = AddLabel(app, label);
  TrafficCommand traffic;
  const CLI::App* traffic_command = AddTraffic(app, traffic);
  RollBackCommand rollback;
  const CLI::App* rollback_command = AddRollBack(app, rollback);
  EpochCommand epoch;
  const CLI::App* epoch_command = AddEpoch(app, epoch);
  bench::BenchCommand bench;
  const CLI::App* bench_command = bench::AddBench(app, bench);
  DeviceCommand device;
  CLI::App* device_command = AddDevice(app, device);
  DeviceErrorsCommand errors;
  const CLI::App* errors_command = AddDeviceErrors(*device_command, errors);
  TraceCaptureCommand capture;
  const CLI::App* capture_command = AddTraceCapture(app, capture);
  TokenCommand token;
  const CLI::App* token_command = AddToken(app, token);
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
  if (load_command->parsed()) {
    return Report(Load(common, load));
  }
  if (unload_command->parsed()) {
    return Report(Unload(common, unload));
  }
  if (drain_command->parsed()) {
    return Report(Drain(common, drain));
  }
  if (verify_command->parsed()) {
    return Report(Verify(common, verify));
  }
  if (label_command->parsed()) {
    return Report(Label(common, label));
  }
  if (traffic_command->parsed()) {
    return Report(Traffic(common, traffic));
  }
  if (rollback_command->parsed()) {
    return Report(RollBack(common, rollback));
  }
  if (epoch_command->parsed()) {
    return Report(Epoch(common, epoch));
  }
  if (bench_command->parsed()) {
    return Report(bench::Bench(common, bench));
  }
  if (capture_command->parsed()) {
    return Report(CaptureTrace(common, capture));
  }
  if (token_command->parsed()) {
    return Report(NewToken(token));
  }
  if (errors_command->parsed()) {
    return Report(DeviceErrors(common, errors));
  }
  if (device_command->parsed()) {
    return Report(Device(common, device));
  }
  return Report(Completion(shell));
}

}  // namespace
}  // namespace omserve::omctl

int main(int argc, char** argv) { return omserve::omctl::Run(argc, argv); }
