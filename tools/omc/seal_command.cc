// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/seal_command.h"

#include "runtime/sealed/header.h"

namespace omserve::omc {
namespace {

constexpr char kSealFooter[] =
    R"(Examples:
  A key pair for each site that serves the model. The private key stays there; what is sealed for
  the public one opens nowhere else (RSA of 2048 bits or more, or P-256, P-384, P-521):
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out site.pem
    openssl pkey -in site.pem -pubout -out site.pub
    omc seal vision.om -o vision.om.sealed --recipient site.pub --recipient spare.pub

  A certificate does as well as a public key:
    openssl req -x509 -newkey rsa:3072 -nodes -subj /CN=site -keyout site.pem -out site.crt
    omc seal vision.om -o vision.om.sealed --recipient site.crt

  A key of 32 bytes that both sides share, from a file, the environment, or a key service:
    openssl rand -hex 32 > models.key && chmod 600 models.key
    omc seal vision.om -o vision.om.sealed --key-file models.key
    MODELS_KEY=$(openssl rand -hex 32) omc seal vision.om -o vision.om.sealed --key-env MODELS_KEY
    omc seal vision.om -o vision.om.sealed --key-command "vault kv get -field=key secret/models"

A file sealed for a public key may come from anybody who has that key: it says nothing of who
sealed it. docs/sealed-format.md says what the format protects from, and what it does not.
)";

constexpr char kOpenFooter[] =
    R"(Nothing is written before all of the file is known to be sound. The plain text gets mode
0600; keep it on a disk that may hold it.

Examples:
  With the private key of a recipient:
    omc open vision.om.sealed -o vision.om --identity site.pem

  With a shared key that is on no disk:
    omc open vision.om.sealed -o vision.om --key-fd 3 3< <(pass show models)
)";

constexpr char kRekeyFooter[] =
    R"(The model is not encrypted anew: its chunks stay byte for byte, so this takes a copy's time,
and the file is replaced in one step. Old recipients lose this file, not copies that they kept: to
shut out somebody who could open it, seal the model again.

Examples:
  From an old key pair to a new one; all recipients that the file shall have are named:
    omc rekey vision.om.sealed --identity old.pem --recipient new.pub --recipient spare.pub

  From a shared key to another:
    omc rekey vision.om.sealed --key-file old.key --new-key-file new.key

  Who can open the file:
    omc inspect vision.om.sealed
)";

// `prefix` is "" or "new-".
void AddSharedKey(CLI::App* command, const std::string& prefix, SharedKeyOptions& options) {
  const auto name = [&](const char* rest) { return "--" + prefix + rest; };
  const std::string which = prefix.empty() ? "The shared key" : "The new shared key";
  CLI::Option* const file = command->add_option(
      name("key-file"), options.file,
      which + ": a file with 32 bytes, 64 hexadecimal digits or base64 of them.");
  CLI::Option* const variable = command->add_option(name("key-env"), options.variable,
                                                    which + " is in this environment variable.");
  CLI::Option* const fd =
      command->add_option(name("key-fd"), options.fd, which + " is read from this descriptor.")
          ->check(CLI::NonNegativeNumber);
  CLI::Option* const helper = command->add_option(
      name("key-command"), options.command,
      which + " is what this program prints. Words are split at spaces, no shell reads them.");
  file->excludes(variable)->excludes(fd)->excludes(helper);
  variable->excludes(fd)->excludes(helper);
  fd->excludes(helper);
  command
      ->add_option(name("key-command-timeout"), options.command_timeout_s,
                   "Seconds in which that program must end.")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  command->add_option(name("key-id"), options.id,
                      "The name by which a file asks for the shared key. Default: one that is "
                      "computed from the key.");
}

void AddSeal(CLI::App& app, SealArguments& arguments) {
  CLI::App* const seal = app.add_subcommand(
      "seal", "Encrypt a model file, so that only those for whom it is sealed can read it.");
  seal->footer(kSealFooter);
  seal->add_option("MODEL.om", arguments.path, "The file.")->required();
  seal->add_option("-o,--output", arguments.output_path,
                   "The sealed file to write; one that is there is replaced.")
      ->required();
  seal->add_option("--recipient", arguments.recipients,
                   "A certificate or a public key in PEM whose private key opens the file; may be "
                   "given several times.")
      ->allow_extra_args(false);
  AddSharedKey(seal, "", arguments.shared_key);
  seal->add_option("--chunk-kib", arguments.chunk_kib,
                   "Size of what is encrypted at a time: a power of two.")
      ->check(CLI::Range(sealed::kLeastChunkBytes >> 10U, sealed::kMostChunkBytes >> 10U))
      ->capture_default_str();
}

void AddIdentities(CLI::App* command, std::vector<std::string>& identities) {
  command
      ->add_option("--identity", identities,
                   "A private key in PEM without a pass phrase; may be given several times.")
      ->allow_extra_args(false);
}

void AddOpen(CLI::App& app, OpenArguments& arguments) {
  CLI::App* const open =
      app.add_subcommand("open", "Decrypt a sealed file into a plain one, for operators.");
  open->footer(kOpenFooter);
  open->add_option("FILE", arguments.path, "The sealed file.")->required();
  open->add_option("-o,--output", arguments.output_path, "The plain file to write.")->required();
  AddIdentities(open, arguments.identities);
  AddSharedKey(open, "", arguments.shared_key);
  open->add_flag("--force", arguments.replaces, "Replace the plain file if it is there.");
}

void AddRekey(CLI::App& app, RekeyArguments& arguments) {
  CLI::App* const rekey =
      app.add_subcommand("rekey", "Change who can open a sealed file, in place.");
  rekey->footer(kRekeyFooter);
  rekey->add_option("FILE", arguments.path, "The sealed file.")->required();
  AddIdentities(rekey, arguments.identities);
  AddSharedKey(rekey, "", arguments.shared_key);
  rekey
      ->add_option("--recipient", arguments.recipients,
                   "A certificate or a public key in PEM that shall open the file from now on; may "
                   "be given several times. All that are not named lose it.")
      ->allow_extra_args(false);
  AddSharedKey(rekey, "new-", arguments.new_shared_key);
}

}  // namespace

void AddSealCommands(CLI::App& app, SealCommands& commands) {
  AddSeal(app, commands.seal);
  AddOpen(app, commands.open);
  AddRekey(app, commands.rekey);
}

std::optional<absl::StatusOr<std::string>> RunSealCommand(const CLI::App& app,
                                                          const SealCommands& commands) {
  if (app.got_subcommand("seal")) {
    return Seal(commands.seal);
  }
  if (app.got_subcommand("open")) {
    return Open(commands.open);
  }
  if (app.got_subcommand("rekey")) {
    return Rekey(commands.rekey);
  }
  return std::nullopt;
}

}  // namespace omserve::omc
