#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_DIR: compiles the demo's models into a fresh repository, serves them with omserved on
# loopback ports that the system chooses, lets scenes_demo ask, and stops the daemon. Exit status 0
# means that every part ended well. The daemon's log is BUILD_DIR/demo.log.
set -Eeuo pipefail

demo=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
readonly demo scenes=$demo/scenes
# How long the daemon may take to load four small models, and to stop; both take about a second.
readonly start_deadline=${OMSERVE_DEMO_START_SECONDS:-60} stop_deadline=30

fail() {
  printf 'demo: %s\n' "$*" >&2
  exit 1
}

[[ $# -ge 1 ]] || fail "usage: run.sh BUILD_DIR [ARGUMENT OF scenes_demo ...]"
build=$(cd -- "$1" && pwd -P) || fail "$1 is not a build folder: run ./dev demo"
shift
readonly build bin=$build/bin log=$build/demo.log
for program in omc omserved scenes_demo; do
  [[ -x $bin/$program ]] || fail "$bin/$program is missing: run ./dev demo, which builds it"
done

work=$(mktemp -d)
server=''
stop_and_remove() {
  if [[ -n $server ]]; then
    kill -KILL "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf -- "$work"
}
trap stop_and_remove EXIT
trap 'exit 130' INT TERM

# fail_with_log MESSAGE: for what the daemon's own words explain.
fail_with_log() {
  { echo "the end of $log:" && tail -n 20 "$log"; } >&2
  fail "$*"
}

readonly repository=$work/repository ready=$work/ready.json

# compile MODEL [OPTION ...]: one ONNX file into the repository, for batches of 1, 2, 4 and 8 rows.
compile() {
  local model=$1
  shift
  mkdir -p "$repository/$model/1"
  "$bin/omc" compile "$scenes/models/$model.onnx" -o "$repository/$model/1/model.om" \
    --name "$model" --batch-gears 1,2,4,8 "$@" >"$work/omc.log" 2>&1 || {
    cat "$work/omc.log" >&2
    fail "omc could not compile $model.onnx, its reason is above"
  }
}

echo "Compiling four models to .om files:"
# A question has at most 32 words; the client pads it to that.
for model in vision_a vision_b text fusion; do
  case $model in
    text) compile text --input-shape 'input_ids:-1,32;attention_mask:-1,32' ;;
    fusion) compile fusion --input-shape 'text_features:-1,32,96;attention_mask:-1,32' ;;
    *) compile "$model" ;;
  esac
  printf '  %-9s %5d KiB\n' "$model" "$(($(stat -c %s "$repository/$model/1/model.om") / 1024))"
done
cp -R -- "$scenes/repository/." "$repository/"
cp -- "$scenes/models/vocab.json" "$scenes/models/answers.json" "$repository/scenes/"

echo "Starting omserved on the CPU device:"
"$bin/omserved" --model-repository "$repository" --grpc-port 0 --http-port 0 --metrics-port 0 \
  --ready-file "$ready" </dev/null >"$log" 2>&1 &
server=$!

# The daemon renames the ready file into place, so it is whole as soon as it is there.
give_up=$((SECONDS + start_deadline))
until [[ -s $ready ]]; do
  if ! kill -0 "$server" 2>/dev/null; then
    status=0
    wait "$server" || status=$?
    server=''
    fail_with_log "omserved ended with status $status before it was ready"
  fi
  [[ $SECONDS -lt $give_up ]] ||
    fail_with_log "omserved was not ready within $start_deadline s"
  sleep 0.05
done

# port NAME: one of the ports that were bound, from the ready file.
port() {
  sed -n 's/.*"'"$1"'"[[:space:]]*:[[:space:]]*\([0-9][0-9]*\).*/\1/p' "$ready" | head -n 1
}
grpc_port=$(port grpc_port)
[[ -n $grpc_port ]] || fail_with_log "the ready file names no grpc_port: $(tr '\n' ' ' <"$ready")"
printf '  ready, gRPC on 127.0.0.1:%s, HTTP on 127.0.0.1:%s\n' "$grpc_port" "$(port http_port)"

"$bin/scenes_demo" --grpc "127.0.0.1:$grpc_port" --samples "$scenes/samples" "$@" ||
  fail_with_log "scenes_demo ended with status $?"

echo "Stopping omserved:"
kill -TERM "$server"
give_up=$((SECONDS + stop_deadline))
# A child that has ended stays visible to kill until it is waited for; its state in /proc is Z.
while [[ -r /proc/$server/stat && $(sed 's/.*) //; s/ .*//' "/proc/$server/stat") != Z ]]; do
  [[ $SECONDS -lt $give_up ]] || fail_with_log "omserved did not stop within $stop_deadline s"
  sleep 0.05
done
status=0
wait "$server" || status=$?
server=''
[[ $status -eq 0 ]] || fail_with_log "omserved stopped with status $status, expected 0"
echo "  it drained and ended with status 0"
