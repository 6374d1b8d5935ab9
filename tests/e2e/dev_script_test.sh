#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ./dev as a person meets it: help, refusals, and the set-up of a fresh machine. The set-up runs in
# a copy of the scripts with stand-ins for dpkg-query, apt-get, sudo and npm first on PATH, so
# nothing is installed or fetched.
# shellcheck source=tests/e2e/script_test_util.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/script_test_util.sh"
readonly source_dir=$1

# A copy of the scripts under a path with spaces, with two wanted packages.
copy=$work/a\ copy
mkdir -p "$copy/tools" "$copy/cmake"
cp -R "$source_dir/tools/dev" "$copy/tools/"
cp "$source_dir/dev" "$copy/"
printf '# comment\n\nalpha-dev\nbeta-dev\n' >"$copy/cmake/packages-build.txt"
echo gamma-dev >"$copy/cmake/packages-check.txt"
echo "# none" >"$copy/cmake/packages-test.txt"

# stand_in NAME: the body comes from standard input; each call is noted in $work/calls.
stub=$work/stub
mkdir -p "$stub"
stand_in() {
  { printf '#!/bin/bash\necho "%s $*" >>"%s/calls"\n' "$1" "$work" && cat; } >"$stub/$1"
  chmod +x "$stub/$1"
}
fresh_machine() {
  rm -rf "$copy/.deps" "$copy/.cache" "$work/calls" "$work/installed" "$stub"
  mkdir -p "$stub"
  : >"$work/calls"
  : >"$work/installed"
  stand_in dpkg-query <<<"sed 's/^/installed /' '$work/installed'; exit 1"
  stand_in apt-cache <<<'exit 0'
  stand_in apt-get <<<"for p; do case \$p in *-dev) echo \$p >>'$work/installed' ;; esac; done"
  stand_in id <<<'echo 0'
  stand_in npm <<<'echo "npm error 404 no such package"; exit 1'
}
ort_is_there() {
  mkdir -p "$copy/.deps/onnxruntime"
  echo "$(grep -o 'onnxruntime-node@.*' "$copy/tools/dev/setup.sh")" \
    "$(grep -o 'com.github.asus4.*' "$copy/tools/dev/setup.sh")" \
    "$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')" >"$copy/.deps/onnxruntime/STAMP"
  mkdir -p "$copy/.deps/silero_vad"
  grep -o '@ricky0123.*' "$copy/tools/dev/setup.sh" >"$copy/.deps/silero_vad/STAMP"
}
dev_in_copy() { run env -u OMSERVE_SKIP_PACKAGES PATH="$stub:$PATH" "$copy/dev" "$@"; }
calls_of() { grep -c "^$1" "$work/calls"; }

begin "every script parses"
for script in dev .ci/run tools/demo/run.sh tools/dev/{setup,build,check}.sh tests/e2e/*.sh; do
  for file in "$source_dir"/$script; do
    run bash -n "$file"
    expect_status 0
  done
done

begin "shellcheck, where it is installed, has nothing to say"
if command -v shellcheck >/dev/null; then
  cd "$source_dir" || exit 1
  run shellcheck -x -a dev .ci/run tools/demo/run.sh tests/e2e/dev_script_test.sh \
    tests/e2e/demo_script_test.sh
  expect_status 0
  cd / || exit 1
fi

begin "help names every verb, from any folder, without colours in a pipe"
run "$source_dir/dev" help
expect_status 0
for verb in setup build demo test bench asan tsan tidy fuzz fmt clean help; do
  expect_contains "$(tr ',' ' ' <<<"$out")" " $verb "
done
expect_lacks "$out$err" $'\e['

begin "no verb at all, --help, and --help after a verb show the same page"
page=$out
run "$source_dir/dev"
expect_true test "$out" = "$page"
run "$source_dir/dev" --help
expect_true test "$out" = "$page"
run "$source_dir/dev" test --help
expect_true test "$out" = "$page"

begin "an unknown verb is refused in one line that lists the verbs"
run "$source_dir/dev" frobnicate
expect_status 2
expect_contains "$err" "dev: 'frobnicate' is not a verb: expected one of setup build demo test"
expect_true test "$(wc -l <"$work/err")" -eq 1

begin "an unknown option of a verb is refused in one line that shows the right form"
for call in 'setup now' 'build --fast' 'bench --xml' 'tidy --some' 'fmt --dry' 'clean --most' \
  'fuzz om soon'; do
  # shellcheck disable=SC2086
  run "$source_dir/dev" $call
  expect_status 2
  expect_last_line "$err" "dev: ${call%% *}: '${call##* }' is not a*"
  expect_true test "$(wc -l <"$work/err")" -eq 1
done

begin "only missing packages are installed, in one call, and a second run calls apt no more"
fresh_machine
ort_is_there
echo alpha-dev >"$work/installed"
dev_in_copy setup
expect_status 0
expect_contains "$(<"$work/calls")" "install --no-install-recommends beta-dev gamma-dev"
expect_true test "$(calls_of apt-get)" -eq 1
dev_in_copy setup
expect_status 0
expect_true test "$(calls_of apt-get)" -eq 1

begin "setup build leaves out what only the checks need"
fresh_machine
ort_is_there
dev_in_copy setup build
expect_status 0
expect_contains "$(<"$work/calls")" "beta-dev"
expect_lacks "$(<"$work/calls")" "install --no-install-recommends alpha-dev beta-dev gamma-dev"

begin "packages that apt does not know yet: the lists are fetched first"
fresh_machine
ort_is_there
stand_in apt-cache <<<'exit 100'
dev_in_copy setup
expect_status 0
expect_contains "$(grep -m 1 '^apt-get' "$work/calls")" " update"

begin "an installation that fails is tried once more with new lists, then ends in apt's reason"
fresh_machine
ort_is_there
stand_in apt-get <<<'echo "E: Unable to fetch some archives"; exit 100'
dev_in_copy setup
expect_status 1
expect_true test "$(calls_of apt-get)" -eq 3
expect_last_line "$err" "dev: setup: 'apt-get install *failed: E: Unable to fetch some archives; \
see $copy/.cache/logs/apt-install.log"

begin "neither root nor sudo: nothing is tried, and the line names the command to run"
fresh_machine
ort_is_there
stand_in id <<<'echo 1000'
mkdir -p "$work/few"
for program in bash env cat grep sed sort comm mkdir dirname readlink nproc uname flock tail rm; do
  ln -sf "$(command -v "$program")" "$work/few/$program"
done
run env -u OMSERVE_SKIP_PACKAGES PATH="$stub:$work/few" "$copy/dev" setup
expect_status 1
expect_last_line "$err" "dev: setup: 3 Debian packages missing and only root may install; *: \
apt-get install -y --no-install-recommends alpha-dev beta-dev gamma-dev"
expect_true test "$(calls_of apt-get)" -eq 0

begin "not root but with sudo: apt runs through it, and without a terminal never asks"
fresh_machine
ort_is_there
stand_in id <<<'echo 1000'
# shellcheck disable=SC2016
stand_in sudo <<<'shift; "$@"'
dev_in_copy setup
expect_status 0
expect_contains "$(<"$work/calls")" "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get"

begin "OMSERVE_SKIP_PACKAGES leaves packages alone"
fresh_machine
ort_is_there
run env OMSERVE_SKIP_PACKAGES=1 PATH="$stub:$PATH" "$copy/dev" setup
expect_status 0
expect_true test "$(calls_of apt-get)" -eq 0

begin "npm cannot bring ONNX Runtime: npm's reason is the last line, and nothing is left behind"
fresh_machine
dev_in_copy setup
expect_status 1
expect_last_line "$err" "dev: setup: npm cannot bring onnxruntime-node@*: npm error 404 no such \
package; see $copy/.cache/logs/npm-onnxruntime-node.log"
expect_true test -z "$(ls -A "$copy/.deps")"

begin "an archive with another content is refused with both sums, and nothing is left behind"
fresh_machine
# shellcheck disable=SC2016
stand_in npm <<<'echo tampered >"$4/package.tgz"'
dev_in_copy setup
expect_status 1
expect_contains "$err" "is not the archive we know: its sha512 is"
expect_contains "$err" "expected b7086cd42d82fc11"
expect_true test -z "$(ls -A "$copy/.deps")"

begin "a folder from other versions of ONNX Runtime is not taken for the wanted one"
fresh_machine
mkdir -p "$copy/.deps/onnxruntime/lib"
echo "onnxruntime-node@1.0.0" >"$copy/.deps/onnxruntime/STAMP"
dev_in_copy setup
expect_status 1
expect_true test "$(calls_of npm)" -eq 1

begin "the tests' model from npm is refused with both sums when its archive has another content"
fresh_machine
ort_is_there
rm -r "$copy/.deps/silero_vad"
# shellcheck disable=SC2016
stand_in npm <<<'echo tampered >"$4/package.tgz"'
dev_in_copy setup
expect_status 1
expect_contains "$err" "@ricky0123/vad-web@0.0.31 is not the archive we know: its sha512 is"
expect_contains "$err" "expected 78f56af13bc1db5b"
expect_true test ! -e "$copy/.deps/silero_vad"

begin "clean --all removes what a run made, and only that"
fresh_machine
ort_is_there
mkdir -p "$copy/build/release" "$copy/.cache"
dev_in_copy clean --all
expect_status 0
for gone in build .cache .deps; do expect_true test ! -e "$copy/$gone"; done
for kept in cmake dev tools; do expect_true test -e "$copy/$kept"; done

finish
