# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The checks beyond the tests: sanitizers, clang-tidy, fuzzing, formatting. Sourced by ./dev.

# test_programs PRESET ARGUMENT...: the programs (ninja targets) of the tests that ctest would run
# with these arguments, one a line. A test's program has the test's name; a script has no program.
test_programs() {
  local dir=$root/build/$1
  shift
  comm -12 \
    <(ctest --test-dir "$dir" -N "$@" |
      sed -n 's|^ *Test *#[0-9]*: \([^ ]*\).*|tests/bin/\1|p' | sort -u) \
    <(ninja -C "$dir" -t targets all | sed -n 's|^\(tests/bin/[^:]*\):.*|\1|p' | sort -u)
}

# Sanitizer options are lists separated by spaces and colons, hence the quotes around a path.
suppressions() { [[ ! -f $root/tests/$1 ]] || printf ":suppressions='%s'" "$root/tests/$1"; }

cmd_asan() {
  ensure build check
  build asan
  export ASAN_SYMBOLIZER_PATH=/usr/bin/llvm-symbolizer-14
  export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
  export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  LSAN_OPTIONS=print_suppressions=0$(suppressions lsan.supp)
  export LSAN_OPTIONS
  # The rules about the sources do not depend on how they are compiled.
  run_ctest asan -LE '^tidy$' "$@"
}

cmd_tsan() {
  # gRPC from the package is not instrumented: a hand-off through its completion queue looks like a
  # race of ours. What talks gRPC is therefore neither built nor judged here, nor are the fuzzers'
  # entry points, which have one thread.
  local without='^(protocol|e2e|tidy|fuzz)$' programs=()
  ensure build check
  lock build-tsan
  configure tsan
  mapfile -t programs < <(test_programs tsan -LE "$without" "$@")
  [[ ${#programs[@]} -gt 0 ]] || die "tsan: no test is left to run${*:+ with '$*'}: see ctest -N"
  # Tests open the device library at run time, so it is nobody's link dependency.
  build tsan ascendcl "${programs[@]}"
  TSAN_OPTIONS="halt_on_error=0:second_deadlock_stack=1$(suppressions tsan.supp)"
  TSAN_OPTIONS+=":external_symbolizer_path=/usr/bin/llvm-symbolizer-14"
  export TSAN_OPTIONS
  run_ctest tsan -LE "$without" "$@"
}

# sources: every .h and .cc of the checkout, tracked or new, NUL-separated.
sources() {
  if git -C "$root" rev-parse --git-dir >/dev/null 2>&1; then
    git -C "$root" ls-files -z -c -o --exclude-standard '*.h' '*.cc' | sort -zu |
      while IFS= read -r -d '' file; do [[ ! -f $root/$file ]] || printf '%s\0' "$file"; done
  else
    find . \( -path ./build -o -path ./.deps -o -path ./.cache \) -prune -o \
      \( -name '*.h' -o -name '*.cc' \) -printf '%P\0'
  fi
}

# changed_sources: the .cc files that differ from the branch's start (else from the last commit).
changed_sources() {
  local base=HEAD upstream
  for upstream in origin/main origin/HEAD; do
    if git -C "$root" rev-parse -q --verify "$upstream" >/dev/null; then
      base=$(git -C "$root" merge-base HEAD "$upstream")
      break
    fi
  done
  {
    git -C "$root" diff --name-only --diff-filter=d "$base" -- '*.cc'
    git -C "$root" ls-files -o --exclude-standard '*.cc'
  } | sort -u
}

cmd_tidy() {
  local files=() file programs=()
  ensure build check
  case ${1:-} in
    '')
      git -C "$root" rev-parse -q --verify HEAD >/dev/null 2>&1 ||
        die "tidy: there is no commit to compare with: name files, or use ./dev tidy --all"
      mapfile -t files < <(changed_sources)
      ;;
    --all) mapfile -t -d '' files < <(sources | grep -z '\.cc$') ;;
    -*) usage_error "tidy: '$1' is not an option: ./dev tidy [--all | FILE ...]" ;;
    *)
      for file in "$@"; do
        [[ $file == /* ]] || file=$invoked_from/$file
        [[ -f $file ]] || die "tidy: $file is not a file"
        files+=("$(realpath --relative-to="$root" -- "$file")")
      done
      ;;
  esac
  build_generated_headers
  mapfile -t files < <(compiled_files "${files[@]}")
  if [[ ${#files[@]} -eq 0 ]]; then
    say "no .cc file to look at"
  else
    say "clang-tidy on ${#files[@]} files, reports follow"
    printf '%s\0' "${files[@]}" |
      xargs -0 -n 1 -P "$jobs" clang-tidy-14 --quiet -p "$root/build/dev" 2>"$logs/tidy.log" ||
      die "tidy: clang-tidy has something to say, above; see also $logs/tidy.log"
  fi
  lock build-release
  configure release
  mapfile -t programs < <(test_programs release -L '^tidy$')
  build release "${programs[@]}"
  run_ctest release -L '^tidy$'
}

# compiled_files FILE...: those that the dev preset compiles; clang-tidy would guess at the others'
# options and report its wrong guesses.
compiled_files() {
  local file compiled
  compiled=$(sed -n 's|^ *"file": "\(.*\)",\{0,1\}$|\1|p' \
    "$root/build/dev/compile_commands.json")
  for file in "$@"; do
    if grep -Fqx -- "$root/$file" <<<"$compiled"; then
      printf '%s\n' "$file"
    else
      say "skipped, since build/dev does not compile it: $file"
    fi
  done
}

# clang-tidy reads what the compiler reads: the dev preset's commands and the protobuf headers.
build_generated_headers() {
  local generated=()
  mkdir -p "$logs"
  lock build-dev
  configure dev
  mapfile -t generated < <(ninja -C "$root/build/dev" -t targets all |
    sed -n 's|^\(gen/[^:]*\.pb\.h\):.*|\1|p')
  [[ ${#generated[@]} -eq 0 ]] || build dev "${generated[@]}"
}

cmd_fuzz() {
  local name=${1:-} seconds=${2:-60} targets=() target
  [[ $seconds =~ ^[1-9][0-9]*$ ]] ||
    usage_error "fuzz: '$seconds' is not a number of seconds: ./dev fuzz [NAME [SECONDS]]"
  ensure build check
  lock build-fuzz
  configure fuzz
  # ninja lists what its file says, and brings that up to date only when it builds.
  run_logged configure-fuzz ninja -C "$root/build/fuzz" build.ninja ||
    die "fuzz: build/fuzz cannot be configured; see $logs/configure-fuzz.log"
  mapfile -t targets < <(ninja -C "$root/build/fuzz" -t targets all |
    sed -n 's|^tests/bin/\([^:]*_fuzz\):.*|\1|p')
  if [[ -n $name ]]; then
    name=${name%_fuzz}_fuzz
    [[ " ${targets[*]} " == *" $name "* ]] ||
      die "fuzz: there is no target '$name': expected one of ${targets[*]:-(none)}"
    targets=("$name")
  fi
  [[ ${#targets[@]} -gt 0 ]] || die "fuzz: there is no target in tests/fuzz"
  build fuzz "${targets[@]}"
  for target in "${targets[@]}"; do fuzz_one "$target" "$seconds"; done
}

# fuzz_one TARGET SECONDS: new inputs are kept in .cache/fuzz, so that the next run starts from
# them; the committed corpus is only read.
fuzz_one() {
  local target=$1 seconds=$2 found=$root/.cache/fuzz/$1 seeds=()
  mkdir -p "$found/corpus" "$found/crashes"
  [[ ! -d $root/tests/fuzz/corpus/${target%_fuzz} ]] ||
    seeds=("$root/tests/fuzz/corpus/${target%_fuzz}")
  say "fuzzing $target for $seconds s"
  "$root/build/fuzz/tests/bin/$target" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 \
    -artifact_prefix="$found/crashes/" "$found/corpus" "${seeds[@]}" ||
    die "fuzz: $target found a failure: the input is the newest file of $found/crashes;" \
      "add it to tests/fuzz/corpus/${target%_fuzz} with the fix"
}

cmd_fmt() {
  local options=(-i)
  case ${1:-} in
    '') ;;
    --check) options=(--dry-run -Werror) ;;
    *) usage_error "fmt: '$1' is not an option: ./dev fmt [--check]" ;;
  esac
  # Formatting needs no ONNX Runtime and no other package: do not make anybody wait for those.
  command -v clang-format-14 >/dev/null || ensure build check
  sources | xargs -0 -r -n 40 -P "$jobs" clang-format-14 "${options[@]}" ||
    die "fmt: the files above are not formatted: run ./dev fmt"
  say "every .h and .cc is formatted"
}
