// SPDX-License-Identifier: Apache-2.0
// omc: the command line over compile.h, inspect.h, measure.h and trust_commands.h. Exit code 0, 1
// for a failure (one line on stderr), 2 for wrong usage.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "runtime/base/file.h"
#include "runtime/base/status_macros.h"
#include "tools/omc/compile.h"
#include "tools/omc/inspect.h"
#include "tools/omc/measure.h"
#include "tools/omc/seal_command.h"
#include "tools/omc/trust_commands.h"

namespace {

using omserve::omc::CompileOptions;
using omserve::omc::InspectForm;
using omserve::omc::MeasureOptions;

constexpr char kFooter[] =
    R"(Examples:
  A vision model for batches of 1, 2, 4 and 8 rows:
    omc compile vision.onnx -o vision.om --batch-gears 1,2,4,8

  A text model whose inputs are ids [N,L] and mask [N,L], for 1 or 8 rows of 16 or 32 tokens; the
  values of a gear go to the open dims in order (N and L of ids, N and L of mask):
    omc compile text.onnx -o text.om \
      --dims-gears "1,16,1,16;1,32,1,32;8,16,8,16;8,32,8,32"

  The same with L fixed to 32 and gears for the batch only:
    omc compile text.onnx -o text.om --input-shape "ids:-1,32;mask:-1,32" --batch-gears 1,4,8

  The same with any batch and up to 512 tokens, for a program of yours on the CPU device, which
  gives the dims of each execution with aclmdlSetDatasetTensorDesc:
    omc compile text.onnx -o text.om --dynamic-shape "ids:-1,1~512;mask:-1,1~512"

  What a file holds, as tables or as JSON:
    omc inspect vision.om
    omc inspect vision.om --json

  What an execution takes at each gear, for the timed engine; measured here and recorded, or given:
    omc measure vision.om --write
    omc compile vision.onnx -o vision.om --batch-gears 1,4,8 --cost-us 1:900,4:2100,8:3800

  A file that only the holder of a private key can read (omc seal --help makes one):
    omc seal vision.om -o vision.om.sealed --recipient site.pub

  Who made a model, and that nobody changed it since (omc sign --help):
    omc sign models/vision --version 1 --key key.pem
    omc verify models/vision --public-key key.pub
)";

constexpr char kInspectFooter[] =
    R"(Shown are the file and its parts, and of one model how it was compiled, what it needs on the
device, inputs, outputs, gears, graphs and attributes. Files that atc compiled for a chip are shown
as well as those of `omc compile`: .om with one model or several, bundles, and om2 archives.

Examples:
  The size and shape of everything, for people, and one number of it for a script:
    omc inspect vision.om
    omc inspect vision.om --json | jq .model.weight_bytes

  The names of all ops in the graph; attribute names and texts are readable whether or not atc
  compressed them:
    omc inspect vision.om --model-json -o vision.json
    jq -r '.graph[0].op[].name' vision.json

  The second model of a bundle or of a file of dynamic shape:
    omc inspect llm.om --model 1
)";

struct InspectArguments {
  std::string path;
  std::string output_path;
  size_t model = 0;
  bool as_json = false;
  bool as_model_json = false;

  InspectForm form() const {
    return as_model_json ? InspectForm::kModelJson
                         : (as_json ? InspectForm::kJson : InspectForm::kText);
  }
};

CLI::App* AddInspect(CLI::App& app, InspectArguments& arguments) {
  CLI::App* const inspect = app.add_subcommand("inspect", "Show what a model file holds.");
  inspect->footer(kInspectFooter);
  inspect->add_option("MODEL.om", arguments.path, "The file.")->required();
  CLI::Option* const json =
      inspect->add_flag("--json", arguments.as_json, "JSON instead of tables.");
  inspect
      ->add_flag("--model-json", arguments.as_model_json,
                 "The model's graph (ModelDef) as JSON with protobuf's field names.")
      ->excludes(json);
  inspect
      ->add_option("--model", arguments.model,
                   "Which model of a file that has several, counted from 0.")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  inspect->add_option("-o,--output", arguments.output_path,
                      "Write to this file instead of standard output.");
  return inspect;
}

void AddCompile(CLI::App& app, CompileOptions& options) {
  CLI::App* const compile = app.add_subcommand("compile",
                                               "Compile an ONNX model into an .om file for the CPU "
                                               "device. Every gear is run once, and a dynamic "
                                               "shape at both ends, so a file that comes out is "
                                               "known to run.");
  compile->add_option("MODEL.onnx", options.model_path, "The ONNX model.")->required();
  compile->add_option("-o,--output", options.output_path, "The .om file to write.")->required();
  compile->add_option("--name", options.name,
                      "The model's name, at most 31 bytes. Default: the ONNX file's name.");
  CLI::Option* const batch = compile->add_option(
      "--batch-gears", options.gears.batch_gears,
      "Batch sizes to compile for, such as 1,2,4,8: dim 0 of every input that leaves it open.");
  compile
      ->add_option("--dims-gears", options.gears.dims_gears,
                   "Gears of any open dims, such as \"1,16;8,32\": one value per open dim of all "
                   "inputs in order, gears separated by ';'.")
      ->excludes(batch);
  compile->add_option("--input-shape", options.gears.input_shape,
                      "Dims of inputs, such as \"a:-1,32;b:-1,32\"; -1 stays open for the gears. "
                      "Without gears every dim must be fixed, by the model or here.");
  compile->add_option("--constant", options.constants,
                      "Inputs of one number that become part of the model, such as \"sr:16000\"; "
                      "several are separated by ';'. The compiled model has them no longer.");
  compile->add_option("--dynamic-shape", options.gears.dynamic_shape,
                      "What the dims of inputs may be, such as \"a:1~8,3;b:1~8,-1\": a size, a "
                      "range of sizes, or -1 for any; every execution says which it is. For "
                      "programs that call AscendCL themselves: omserved serves gears only.");
  compile->add_option("--cost-us", options.cost_us,
                      "Microseconds of one execution by gear, such as 1:900,4:2100 (a gear of "
                      "several values: 1x16:900; without gears: 900). See also measure.");
  compile->add_option("--soc-version", options.soc_version, "The chip; only the CPU device here.")
      ->capture_default_str();
  compile->add_option("--ort-library", options.ort_library,
                      "ONNX Runtime's file. Default: libonnxruntime.so.1 in ../lib or beside this "
                      "program, then where the loader looks.");
}

void AddMeasure(CLI::App& app, MeasureOptions& options) {
  CLI::App* const measure = app.add_subcommand(
      "measure", "Measure what an execution takes at each gear, on an otherwise idle machine.");
  measure->add_option("MODEL.om", options.path, "The file.")->required();
  measure->add_option("--repeat", options.repeat, "Executions at each gear.")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  measure->add_flag("--write", options.write,
                    "Record the medians in the file, where the timed engine finds them.");
  measure->add_flag("--json", options.as_json, "JSON instead of a table.");
  measure->add_option("--threads", options.intra_op_threads, "Threads of one execution.")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  measure->add_option("--library", options.acl_library,
                      "The libascendcl.so to run on. Default: the CPU device beside this program.");
  measure->add_option("--ort-library", options.ort_library,
                      "ONNX Runtime's file. Default: as the CPU device finds it.");
}

absl::StatusOr<std::string> RunInspect(const InspectArguments& arguments) {
  absl::StatusOr<std::string> shown =
      omserve::omc::InspectFile(arguments.path, arguments.form(), arguments.model);
  if (!shown.ok() || arguments.output_path.empty()) {
    return shown;
  }
  RETURN_IF_ERROR(omserve::WriteFileAtomically(arguments.output_path, *shown));
  return std::string();
}

int Report(const absl::StatusOr<std::string>& result) {
  if (!result.ok()) {
    fmt::print(stderr, "omc: {}\n", omserve::MessageOf(result.status()));
    return 1;
  }
  fmt::print("{}", *result);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("omc makes, shows and signs .om files, the models that omserve serves.", "omc");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", "omc " OMSERVE_VERSION);

  CompileOptions options;
  AddCompile(app, options);
  InspectArguments arguments;
  const CLI::App* const inspect = AddInspect(app, arguments);

  MeasureOptions measure;
  AddMeasure(app, measure);
  const omserve::omc::TrustCommands trust_commands(app);

  omserve::omc::SealCommands sealing;
  omserve::omc::AddSealCommands(app, sealing);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // The library has no other way to say it.
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (inspect->parsed()) {
    return Report(RunInspect(arguments));
  }
  if (app.got_subcommand("measure")) {
    return Report(omserve::omc::MeasureFile(measure));
  }
  if (const auto trusted = trust_commands.Run()) {
    return Report(*trusted);
  }
  if (const auto sealed = omserve::omc::RunSealCommand(app, sealing)) {
    return Report(*sealed);
  }
  absl::StatusOr<std::string> summary = omserve::omc::CompileToFile(options);
  if (summary.ok()) {
    *summary += "\n";
  }
  return Report(summary);
}
