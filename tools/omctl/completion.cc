// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "runtime/base/errors.h"
#include "tools/omctl/commands.h"

namespace omserve::omctl {
namespace {

constexpr char kBash[] = R"bash(# omctl completion for bash: source <(omctl completion bash)
_omctl() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  case $previous in
    --protocol) COMPREPLY=($(compgen -W "grpc rest rest-json" -- "$word")); return ;;
    --arrivals) COMPREPLY=($(compgen -W "poisson constant" -- "$word")); return ;;
    --data) COMPREPLY=($(compgen -W "random zero" -f -- "$word")); return ;;
    --image | --library | --config | --plot | --csv | -o)
      COMPREPLY=($(compgen -f -- "$word")); return ;;
    --token-file | --tls-* | --out) COMPREPLY=($(compgen -f -- "$word")); return ;;
    device) [[ $word == -* ]] || { COMPREPLY=($(compgen -W "errors" -- "$word")); return; } ;;
    trace) COMPREPLY=($(compgen -W "capture" -- "$word")); return ;;
    token) COMPREPLY=($(compgen -W "new" -- "$word")); return ;;
    --role) COMPREPLY=($(compgen -W "infer control admin" -- "$word")); return ;;
    completion) COMPREPLY=($(compgen -W "bash zsh" -- "$word")); return ;;
    infer | bench | load | unload | drain | verify | label | traffic | rollback | epoch)
      COMPREPLY=($(compgen -W "$(omctl models 2>/dev/null | awk 'NR > 1 {print $1}')" -- "$word"))
      return ;;
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "--url --token-file --tls --tls-ca --tls-cert --tls-key
      --tls-server-name --role --model --out --json --help --version --image --text --input --output
      --model-version --timeout-ms --trace --library --config --symbols --markdown
      --concurrency --rate --arrivals --max-in-flight --protocol --rest-url --threads --data --shape
      --batch --deadline --timeout --priority --seed --warmup --window --max-windows --duration
      --plot --csv --quiet --seconds --file --dependents
      --remove --clear --label --allow-lower" -- "$word"))
  else
    COMPREPLY=($(compgen -W "infer bench models status load unload drain verify label traffic
      rollback epoch device trace token completion" -- "$word"))
  fi
}
complete -F _omctl omctl
)bash";

}  // namespace

absl::Status Completion(const std::string& shell) {
  if (shell == "bash") {
    fmt::print("{}", kBash);
    return absl::OkStatus();
  }
  if (shell == "zsh") {
    fmt::print("autoload -U +X bashcompinit && bashcompinit\n{}", kBash);
    return absl::OkStatus();
  }
  return InvalidArgument("'{}': completion exists for bash and zsh", shell);
}

}  // namespace omserve::omctl
