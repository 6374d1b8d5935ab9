// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/trust_commands.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>

#include "runtime/trust/statement.h"

namespace omserve::omc {
namespace {

constexpr char kSignFooter[] =
    R"(Signed are all files of the version and those beside the versions' folders: config.yaml,
vocab.txt, 2/model.om. The signature goes to 2/model.sig, a Sigstore bundle as OpenSSF Model Signing
has it. Sign each version; after a change to config.yaml, sign all of them again.

Examples:
  A key pair, made once. key.pem stays where models are made, key.pub goes to who runs them:
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem
    openssl pkey -in key.pem -pubout -out key.pub

  Sign version 2 of a model, and check it as a server would:
    omc sign models/resnet --version 2 --key key.pem
    omc verify models/resnet --version 2 --public-key key.pub

  With a certificate that says who signs; those between it and the authority follow it in the file:
    omc sign models/resnet --version 2 --key key.pem --certificate chain.pem
    omc verify models/resnet --ca ca.pem --identity "*@example.org"

  A model of many gigabytes, whose digests are then computed on several processors:
    omc sign models/llm --version 1 --key key.pem --shards 64MiB
)";

constexpr char kVerifyFooter[] =
    R"(Exit status: 0 when every version that was asked for is good; 1 with one line that says which
part is not: bundle JSON, envelope, certificate, signature, statement or a file.

Examples:
  All versions of a model, signed with one key:
    omc verify models/resnet --public-key key.pub

  Signed by one of a team, as their authority's certificates say:
    omc verify models/resnet --version 2 --ca ca.pem --identity "*@example.org"

  For a script:
    omc verify models/resnet --public-key key.pub --json | jq '.versions[].security_epoch'
)";

int ProcessorCount() { return static_cast<int>(std::max(1U, std::thread::hardware_concurrency())); }

}  // namespace

TrustCommands::TrustCommands(CLI::App& app) {
  sign_.threads = ProcessorCount();
  verify_.threads = ProcessorCount();
  AddSign(app);
  AddVerify(app);
}

void TrustCommands::AddSign(CLI::App& app) {
  CLI::App* const sign = app.add_subcommand(
      "sign",
      "Sign a version of a model, so that servers can tell who made it and that nobody "
      "changed it.");
  sign_command_ = sign;
  sign->footer(kSignFooter);
  sign->add_option("MODEL_FOLDER", sign_.model_folder,
                   "The model's folder, named as the model is called.")
      ->required();
  sign->add_option("--version", sign_.version, "The version to sign.")
      ->required()
      ->check(CLI::Range(int64_t{1}, std::numeric_limits<int64_t>::max()));
  sign->add_option("--key", sign_.key_path,
                   "The private key in PEM: ECDSA on P-256, P-384 or P-521; Ed25519 or RSA where "
                   "only omserve checks.")
      ->required();
  sign->add_option("--certificate", sign_.certificate_path,
                   "The key's certificate in PEM, and those that lead to its authority.");
  sign->add_option("--epoch", sign_.security_epoch,
                   "A count to raise when older signatures shall no longer do, such as after a "
                   "flaw in a model.")
      ->check(CLI::Range(uint64_t{0}, trust::kMostSecurityEpoch));
  sign->add_option("--shards", sign_.shard_bytes,
                   "Sign files in shards of this many bytes, such as 64MiB. Default: whole files.")
      ->transform(CLI::AsSizeValue(true));
  sign->add_option("-o,--output", sign_.output_path,
                   "The file to write. Default: model.sig in the version's folder.");
}

void TrustCommands::AddVerify(CLI::App& app) {
  CLI::App* const verify =
      app.add_subcommand("verify", "Check that a model is as somebody whom you trust signed it.");
  verify_command_ = verify;
  verify->footer(kVerifyFooter);
  verify->add_option("MODEL_FOLDER", verify_.model_folder, "The model's folder.")->required();
  CLI::Option* const version =
      verify->add_option("--version", verify_.version, "The version. Default: all of them.")
          ->check(CLI::Range(int64_t{1}, std::numeric_limits<int64_t>::max()));
  CLI::Option_group* const roots = verify->add_option_group("Whom to trust");
  roots->add_option("--public-key", verify_.public_key_path,
                    "Public keys in PEM, any of which may have signed.");
  CLI::Option* const ca = roots->add_option(
      "--ca", verify_.ca_path, "Certificates in PEM of authorities, which say who signed.");
  roots->require_option(1);
  verify
      ->add_option("--identity", verify_.identity,
                   "Who must have signed: a name in the certificate (URI, DNS name or e-mail "
                   "address, else the common name), in which * stands for any text.")
      ->needs(ca);
  verify
      ->add_option("--signature", verify_.signature_path,
                   "The signature's file. Default: model.sig in the version's folder.")
      ->needs(version);
  verify->add_flag("--json", verify_.as_json, "JSON instead of a table.");
}

std::optional<absl::StatusOr<std::string>> TrustCommands::Run() const {
  if (sign_command_->parsed()) {
    return SignFolder(sign_);
  }
  if (verify_command_->parsed()) {
    return VerifyFolder(verify_, std::chrono::system_clock::now());
  }
  return std::nullopt;
}

}  // namespace omserve::omc
