# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A few lines of test frame for scripts: `begin` opens a case, `run` runs a command and keeps its
# status, output and errors, `expect_*` count failures, `finish` reports and ends the script.
set -u

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
passed=0 failed=0 title='' status=0 out='' err=''

begin() { title=$1; }

# run COMMAND...: status, out and err are set for the expectations that follow.
run() {
  status=0
  "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
  out=$(<"$work/out") err=$(<"$work/err")
}

verdict() {
  if [[ $1 == yes ]]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: %s\n  %s\n  status: %s\n  out: %s\n  err: %s\n' \
      "$title" "$2" "$status" "$out" "$err"
  fi
}

expect_status() {
  if [[ $status -eq $1 ]]; then verdict yes; else verdict no "expected status $1"; fi
}

# expect_contains TEXT PART
expect_contains() {
  if [[ $1 == *"$2"* ]]; then verdict yes; else verdict no "expected to find: $2"; fi
}

expect_lacks() {
  if [[ $1 != *"$2"* ]]; then verdict yes; else verdict no "expected not to find: $2"; fi
}

# expect_last_line TEXT PATTERN: PATTERN is a bash pattern.
expect_last_line() {
  # shellcheck disable=SC2053
  if [[ ${1##*$'\n'} == $2 ]]; then verdict yes; else verdict no "expected last line like: $2"; fi
}

expect_true() {
  if "$@"; then verdict yes; else verdict no "expected to hold: $*"; fi
}

finish() {
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [[ $failed -eq 0 ]] || exit 1
  exit 0
}
