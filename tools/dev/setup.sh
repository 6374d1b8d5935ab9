# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What a fresh machine needs: Debian packages, ONNX Runtime and a model for the tests. Sourced by
# ./dev, which provides root, logs, say, run_logged, lock, unlock and die; the only function to call
# is `ensure`.

# Both archives are pinned by the integrity value that npm publishes for them (sha512, base64).
readonly ort_library_package=onnxruntime-node@1.30.0
readonly ort_library_sha512=twhs1C2C/BFkz1yc5OY0KIU2GUq6DURO7hD4bx5Q2Qy3nAMJwRXW8xU3NVczE29VA9lolLOYepoD8fjTGOfIqw==
readonly ort_headers_package=com.github.asus4.onnxruntime@0.4.9
readonly ort_headers_sha512=BkzxduSZ9IkeDP6Q8lz2TFU2ie7hSSvS7ZIfzMooExoq0CNzJnuuGaUJ7IsojBgqO4ouD1jXah8OYyJbCN29Fg==
readonly ort_headers_folder='package/Plugins/iOS~/onnxruntime.xcframework/ios-arm64_x86_64-simulator/onnxruntime.framework/Headers'

# Silero VAD (MIT), a speech detector that keeps state between requests: the tests serve it.
readonly vad_package=@ricky0123/vad-web@0.0.31
readonly vad_sha512=ePVq8TvB21sdHSxVMZOEIf9JVa7MAYpaIaNXeGgsPOiMCN8xbPCdF2LS5aYj7VRR3ZxzutedgV9ZplV65IA1Fg==
readonly vad_file=package/dist/silero_vad_v5.onnx

readonly deps=$root/.deps
readonly ort_root=$deps/onnxruntime
# Names the two archives that the folder was made from; written last, so a folder with the right
# content in this file is complete.
readonly ort_stamp=$ort_root/STAMP
readonly vad_root=$deps/silero_vad
readonly interop_js=$root/tests/interop/js interop_js_root=$deps/interop_js
# Touched after an installation: a build folder older than this is configured again.
readonly packages_stamp=$root/.cache/packages-installed

# The archive's name for this machine's architecture, or nothing where it has none.
ort_architecture() {
  case $(uname -m) in
    x86_64) echo x64 ;;
    aarch64) echo arm64 ;;
  esac
}

ort_wanted_stamp() {
  printf '%s %s %s\n' "$ort_library_package" "$ort_headers_package" "$(ort_architecture)"
}

ort_is_ready() {
  [[ -f $ort_stamp && $(<"$ort_stamp") == "$(ort_wanted_stamp)" ]]
}

vad_is_ready() {
  [[ -f $vad_root/STAMP && $(<"$vad_root/STAMP") == "$vad_package" ]]
}

# The packages of the client in JavaScript, as its lock file pins them with their integrity values.
interop_js_is_ready() {
  [[ ! -f $interop_js/package-lock.json ]] ||
    cmp -s "$interop_js/package-lock.json" "$interop_js_root/STAMP"
}

npm_has_work() { ! ort_is_ready || ! vad_is_ready || ! interop_js_is_ready; }

# Prints the packages of the named lists (build, test, check) that are not installed, one a line. It
# asks dpkg every time: that takes 10 ms, and unlike a stamp file it cannot be wrong.
missing_packages() {
  local list wanted=() package
  [[ -z ${OMSERVE_SKIP_PACKAGES:-} ]] || return 0
  for list in "$@"; do
    while read -r package _; do
      [[ -z $package || $package == '#'* ]] || wanted+=("$package")
    done <"$root/cmake/packages-$list.txt"
  done
  if npm_has_work && ! command -v npm >/dev/null; then
    # Only where there is no npm yet: Debian's npm conflicts with a Node.js from elsewhere.
    wanted+=(nodejs npm)
  fi
  # dpkg-query fails as soon as one package is unknown to it, and still prints the others.
  comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) \
    <({ dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null || true; } |
      sed -n 's/^installed //p' | sort -u)
}

# install_packages PACKAGE...: by apt, as root or through sudo.
install_packages() {
  local count="$# Debian package" as_root=()
  [[ $# -eq 1 ]] || count+=s
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600)
  local command="apt-get install -y --no-install-recommends $*"
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null ||
      die "setup: $count missing and only root may install; run this as root, then again ./dev:" \
        "$command"
    as_root=(sudo)
    # Without a terminal sudo could wait for ever for a password that nobody can type.
    [[ -t 0 ]] || as_root+=(-n)
  fi
  local updated=''
  if ! apt-cache show "$@" >/dev/null 2>&1; then
    say "fetching Debian's package lists"
    # A failure here shows in the installation, which is tried with the lists there are.
    run_logged apt-update "${as_root[@]}" "${apt[@]}" update || true
    updated=yes
  fi
  say "installing $count: $*"
  local install=("${as_root[@]}" "${apt[@]}" install --no-install-recommends "$@")
  if ! run_logged apt-install "${install[@]}"; then
    # The lists may be older than the archive, which then no longer has the versions they name.
    [[ -z $updated ]] || install_failed "$command"
    say "that failed; fetching Debian's package lists and trying once more"
    run_logged apt-update "${as_root[@]}" "${apt[@]}" update || true
    run_logged apt-install "${install[@]}" || install_failed "$command"
  fi
  mkdir -p "$root/.cache"
  touch "$packages_stamp"
}

install_failed() {
  die "setup: '$1' failed: $(last_error "$logs/apt-install.log"); see $logs/apt-install.log"
}

# The last line of a log that names an error, else its last line.
last_error() {
  { grep -E '^(E:|npm (ERR!|error))' "$1" || tail -n 1 "$1"; } | tail -n 1
}

# fetch PACKAGE SHA512 FOLDER FILE: the archive of an npm package, verified, as FOLDER/FILE.
fetch() {
  local package=$1 sha512=$2 folder=$3 file=$4 log wanted met
  log=npm-$(basename "${package%@*}")  # Without scope and version.
  mkdir "$folder/pack"
  run_logged "$log" npm pack "$package" --pack-destination "$folder/pack" ||
    die "setup: npm cannot bring $package: $(last_error "$logs/$log.log"); see $logs/$log.log"
  mv -- "$folder/pack"/*.tgz "$folder/$file"
  rmdir "$folder/pack"
  wanted=$(base64 -d <<<"$sha512" | od -An -v -tx1 | tr -d ' \n')
  met=$(sha512sum <"$folder/$file" | cut -d ' ' -f 1)
  [[ $met == "$wanted" ]] ||
    die "setup: $package is not the archive we know: its sha512 is $met, expected $wanted;" \
      "nothing was installed; see $logs/$log.log"
}

# Fetches ONNX Runtime into a temporary folder beside its place and moves it there in one rename, so
# that an interrupted set-up leaves nothing that looks finished.
install_onnxruntime() {
  local arch temp log=$logs/unpack.log
  arch=$(ort_architecture)
  [[ -n $arch ]] ||
    die "setup: ONNX Runtime has no build for $(uname -m): x86_64 and aarch64 are supported"
  command -v npm >/dev/null ||
    die "setup: ONNX Runtime comes from npm, which is not on PATH: install Node.js with npm"
  say "fetching ONNX Runtime (two npm packages, 270 MB)"
  mkdir -p "$deps"
  # Left behind only by a run that was killed: we hold the lock, so nobody is using them.
  rm -rf -- "$deps"/.tmp.*
  temp=$(mktemp -d "$deps/.tmp.XXXXXX")
  cleanup_paths+=("$temp")
  fetch "$ort_library_package" "$ort_library_sha512" "$temp" library.tgz
  fetch "$ort_headers_package" "$ort_headers_sha512" "$temp" headers.tgz
  local new=$temp/onnxruntime
  mkdir -p "$new/lib" "$new/include"
  say "unpacking ONNX Runtime"
  {
    tar -xzf "$temp/library.tgz" -C "$new/lib" --strip-components=5 \
      "package/bin/napi-v6/linux/$arch/libonnxruntime.so.1" &&
      tar -xzf "$temp/headers.tgz" -C "$new/include" --strip-components=7 "$ort_headers_folder" &&
      test -s "$new/lib/libonnxruntime.so.1" -a -s "$new/include/onnxruntime_c_api.h"
  } >"$log" 2>&1 || die "setup: unpacking ONNX Runtime failed: $(tail -n 1 "$log"); see $log"
  ort_wanted_stamp >"$new/STAMP"
  rm -rf -- "$ort_root"
  mv -- "$new" "$ort_root"
  rm -rf -- "$temp"
}

# The one file of the archive that the tests need, as install_onnxruntime puts its own in place.
install_vad() {
  local temp log=$logs/unpack-vad.log
  command -v npm >/dev/null ||
    die "setup: the tests' model comes from npm, which is not on PATH: install Node.js with npm"
  say "fetching Silero VAD for the tests (one npm package, 6 MB)"
  mkdir -p "$deps"
  temp=$(mktemp -d "$deps/.tmp.XXXXXX")
  cleanup_paths+=("$temp")
  fetch "$vad_package" "$vad_sha512" "$temp" vad.tgz
  mkdir "$temp/silero_vad"
  {
    tar -xzf "$temp/vad.tgz" -C "$temp/silero_vad" --strip-components=2 "$vad_file" &&
      test -s "$temp/silero_vad/${vad_file##*/}"
  } >"$log" 2>&1 || die "setup: unpacking Silero VAD failed: $(tail -n 1 "$log"); see $log"
  echo "$vad_package" >"$temp/silero_vad/STAMP"
  rm -rf -- "$vad_root"
  mv -- "$temp/silero_vad" "$vad_root"
  rm -rf -- "$temp"
}

install_interop_js() {
  local temp log=$logs/npm-interop.log
  command -v npm >/dev/null ||
    die "setup: grpc-js comes from npm, which is not on PATH: install Node.js with npm"
  say "fetching grpc-js for the tests (npm packages, 3 MB)"
  mkdir -p "$deps"
  temp=$(mktemp -d "$deps/.tmp.XXXXXX")
  cleanup_paths+=("$temp")
  cp -- "$interop_js/package.json" "$interop_js/package-lock.json" "$temp/"
  run_logged npm-interop npm ci --prefix "$temp" --ignore-scripts --no-audit --no-fund ||
    die "setup: npm cannot bring grpc-js: $(last_error "$log"); see $log"
  cp -- "$temp/package-lock.json" "$temp/STAMP"
  chmod 755 "$temp"
  rm -rf -- "$interop_js_root"
  mv -- "$temp" "$interop_js_root"
}

# ensure LIST...: the packages of these lists, ONNX Runtime and the tests' model are there, or the
# run ends here.
ensure() {
  local missing=()
  if [[ -z ${OMSERVE_SKIP_PACKAGES:-} ]] && ! command -v dpkg-query >/dev/null; then
    say "no dpkg here, so nothing is installed: see cmake/packages-*.txt for what is needed"
    OMSERVE_SKIP_PACKAGES=1
  fi
  mapfile -t missing < <(missing_packages "$@")
  [[ ${#missing[@]} -gt 0 ]] || npm_has_work || return 0
  lock setup
  # Another run may have done the work while this one waited.
  mapfile -t missing < <(missing_packages "$@")
  [[ ${#missing[@]} -eq 0 ]] || install_packages "${missing[@]}"
  ort_is_ready || install_onnxruntime
  vad_is_ready || install_vad
  interop_js_is_ready || install_interop_js
  unlock setup
}
