# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Configuring, building, running tests and benchmarks. Sourced by ./dev after setup.sh.

# ensure_for PRESET: the presets other than release use clang.
ensure_for() {
  if [[ $1 == release ]]; then ensure build; else ensure build check; fi
}

# configure PRESET: leaves build/PRESET ready for ninja. Ninja runs CMake again by itself when a
# CMakeLists.txt changed; this does it for what ninja does not watch.
configure() {
  local preset=$1 dir=$root/build/$1 input current=yes
  if [[ -f $dir/CMakeCache.txt ]] &&
    ! grep -Fqx "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$dir/CMakeCache.txt"; then
    say "build/$preset was made while the checkout stood elsewhere: starting it anew"
    rm -rf -- "$dir"
  fi
  for input in "$root/CMakePresets.json" "$ort_stamp" "$packages_stamp"; do
    [[ ! $input -nt $dir/build.ninja ]] || current=''
  done
  [[ ! -f $dir/build.ninja || -z $current ]] || return 0
  say "configuring $preset"
  local log=$logs/configure-$preset.log why
  if ! run_logged "configure-$preset" cmake --preset "$preset"; then
    why=$(grep -A 6 -m 1 'CMake Error' "$log" | tr -s ' \n' ' ') || why=$(tail -n 1 "$log")
    die "configure: preset $preset: $why; see $log"
  fi
}

# build PRESET TARGET...: holds the preset's lock from here to the end of the run (or `unlock
# build-PRESET`), since neither ninja nor the tests may run twice at once in one folder.
build() {
  local preset=$1 what
  shift
  lock "build-$preset"
  configure "$preset"
  what=${*:-everything}
  [[ $# -le 8 ]] || what="$# targets"
  say "building $preset: $what"
  NINJA_STATUS='[%f/%t %es] ' ninja -C "$root/build/$preset" -j "$jobs" "$@" ||
    die "build: preset $preset did not build: ninja's exit status is $?; see the lines above"
}

# run_ctest PRESET ARGUMENT...: ctest's own summary is the last thing a successful run prints.
run_ctest() {
  local preset=$1 dir=$root/build/$1 status=0 failed names
  shift
  failed=$dir/Testing/Temporary/LastTestsFailed.log
  rm -f -- "$failed"
  say "running the tests of $preset${*:+ ($*)}"
  # The locks are not handed down: a process that a test left behind would keep them.
  run_without_locks ctest --test-dir "$dir" --output-on-failure --no-tests=error -j "$jobs" "$@" ||
    status=$?
  [[ $status -ne 0 ]] || return 0
  if [[ -s $failed ]]; then
    names=$(cut -d : -f 2 "$failed" | paste -s -d ' ')
    die "tests of $preset: failed: $names; see $dir/Testing/Temporary/LastTest.log"
  fi
  die "tests of $preset: ctest's exit status is $status; see the lines above"
}

run_without_locks() {
  local fd
  (
    trap - ERR EXIT
    for fd in "${lock_of[@]}"; do exec {fd}>&-; done
    exec "$@"
  )
}

# run_benchmarks NAME JSON UPDATE: NAME filters by substring; JSON and UPDATE are empty or "yes".
# Programs print Google Benchmark's JSON; bench_table shows it beside tests/bench/baseline.json.
run_benchmarks() {
  local name=$1 json=$2 update=$3 programs=() program result
  lock build-release
  configure release
  mapfile -t programs < <(ninja -C "$root/build/release" -t targets all |
    sed -n 's|^\(tests/bin/[^:]*_bench\):.*|\1|p' | { grep -F -- "$name" || true; })
  [[ ${#programs[@]} -gt 0 ]] ||
    die "bench: no benchmark's name contains '$name'; they are tests/bench/*_bench.cc"
  build release bench_table "${programs[@]}" >&2
  mkdir -p "$root/build/release/bench"
  for program in "${programs[@]}"; do
    say "running ${program##*/}"
    result=$root/build/release/bench/${program##*/}.json
    (cd -- "$root/build/release" && "./$program" --benchmark_format=json >"$result") ||
      die "bench: ${program##*/} failed with exit status $?; see the lines above"
    if [[ -n $json ]]; then
      cat -- "$result"
    else
      "$root/build/release/tests/bin/bench_table" "${program##*/}" "$result" \
        "$root/tests/bench/baseline.json" ${update:+--update} ||
        die "bench: the figures of ${program##*/} cannot be shown; they are in $result"
    fi
  done
}
