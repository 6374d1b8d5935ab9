#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/demo/run.sh with stand-ins for omc, omserved and scenes_demo: whatever goes wrong, it ends
# with the reason, the daemon is gone and no temporary folder stays.
# shellcheck source=tests/e2e/script_test_util.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/script_test_util.sh"
readonly source_dir=$1

build=$work/a\ build
export TMPDIR=$work/tmp
mkdir -p "$TMPDIR"

program() {
  { echo '#!/bin/bash' && cat; } >"$build/bin/$1"
  chmod +x "$build/bin/$1"
}
# A world in which everything works; each case then breaks one thing.
healthy() {
  rm -rf "$build"
  mkdir -p "$build/bin"
  # shellcheck disable=SC2016
  program omc <<<'echo "$2 $5" >"$4"'
  program omserved <<EOT
echo \$\$ >'$work/pid'
while [[ \$1 != --ready-file ]]; do shift; done
trap 'echo drained; exit \${EXIT:-0}' TERM
printf '{"grpc_port": 4711, "http_port": 4712}' >"\$2.new"
mv "\$2.new" "\$2"
exec {never}<> <(:)
while true; do read -r -u "\$never"; done
EOT
  # shellcheck disable=SC2016
  program scenes_demo <<<'echo "asked $*"'
}
demo() { run "$source_dir/tools/demo/run.sh" "$build" "$@"; }
# Called through expect_true, which shellcheck cannot see.
# shellcheck disable=SC2317
daemon_is_gone() { ! kill -0 "$(<"$work/pid")" 2>/dev/null; }
# shellcheck disable=SC2317
nothing_left() { [[ -z $(ls -A "$TMPDIR") ]]; }

begin "all is well: four models, the daemon's port reaches the client, and status 0"
healthy
demo --rounds 2
expect_status 0
for model in vision_a vision_b text fusion; do expect_contains "$out" "  $model "; done
expect_contains "$out" "asked --grpc 127.0.0.1:4711 --samples"
expect_contains "$out" "--rounds 2"
expect_last_line "$out" "  it drained and ended with status 0"
expect_true daemon_is_gone
expect_true nothing_left

begin "a build folder without the programs is refused with the remedy"
run "$source_dir/tools/demo/run.sh" "$work"
expect_status 1
expect_last_line "$err" "demo: $work/bin/omc is missing: run ./dev demo*"

begin "a model that does not compile ends the demo with omc's words"
healthy
program omc <<<'echo "omc: gear 4 failed" >&2; exit 1'
demo
expect_status 1
expect_contains "$err" "omc: gear 4 failed"
expect_last_line "$err" "demo: omc could not compile vision_a.onnx, its reason is above"
expect_true nothing_left

begin "a daemon that dies at start is reported with its status and its log"
healthy
program omserved <<<'echo "no device"; exit 3'
demo
expect_status 1
expect_contains "$err" "no device"
expect_last_line "$err" "demo: omserved ended with status 3 before it was ready"
expect_true nothing_left

begin "a daemon that is never ready is ended at the deadline"
healthy
program omserved <<<"echo \$\$ >'$work/pid'; exec sleep 1000"
OMSERVE_DEMO_START_SECONDS=1 demo
expect_status 1
expect_last_line "$err" "demo: omserved was not ready within 1 s"
expect_true daemon_is_gone
expect_true nothing_left

begin "a ready file without a port is shown"
healthy
sed -i 's/"grpc_port": 4711, //' "$build/bin/omserved"
demo
expect_status 1
expect_last_line "$err" 'demo: the ready file names no grpc_port: {"http_port": 4712}*'
expect_true daemon_is_gone

begin "a client that fails makes the demo fail, and the daemon is ended"
healthy
program scenes_demo <<<'exit 5'
demo
expect_status 1
expect_last_line "$err" "demo: scenes_demo ended with status 5"
expect_true daemon_is_gone
expect_true nothing_left

begin "a daemon that stops with an error makes the demo fail"
healthy
EXIT=4 demo
expect_status 1
expect_last_line "$err" "demo: omserved stopped with status 4, expected 0"
expect_true daemon_is_gone

finish
