# shellcheck shell=bash
# Sourced by the other scripts: what must be on the machine, and how it gets there.
# Debian and Ubuntu packages are installed as root or through sudo; without either the exact
# command is printed and nothing is guessed.

say() { printf '%s\n' "$*" >&2; }

# A Rust toolchain that rustup installed for another HOME is still found through its proxies.
find_rust() {
  if ! command -v cargo >/dev/null 2>&1; then
    for home in "${CARGO_HOME:-$HOME/.cargo}" /usr/local/cargo; do
      [ -x "$home/bin/cargo" ] && PATH="$home/bin:$PATH" && break
    done
  fi
  if ! command -v cargo >/dev/null 2>&1; then
    say "error: no Rust toolchain found; install one as https://rustup.rs says, then run this again"
    exit 2
  fi
  if ! cargo --version >/dev/null 2>&1; then
    local beside
    beside=$(dirname "$(dirname "$(readlink -f "$(command -v cargo)")")")
    export CARGO_HOME=${CARGO_HOME:-$beside}
    export RUSTUP_HOME=${RUSTUP_HOME:-$(dirname "$beside")/.rustup}
  fi
  if ! cargo --version >/dev/null 2>&1; then
    say "error: cargo is there but does not run: $(cargo --version 2>&1 | head -n 1)"
    exit 2
  fi
}

# need PROGRAM PACKAGE: remembers the package where the program is missing.
missing=""
need() {
  command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}

# Installs what `need` found missing.
install_missing() {
  [ -n "$missing" ] || return 0
  local as_root="" command="apt-get install -y --no-install-recommends$missing"
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
      as_root="sudo -n"
    else
      say "error: these packages are missing:$missing"
      say "       as root: apt-get update && $command"
      exit 2
    fi
  fi
  if ! command -v apt-get >/dev/null 2>&1; then
    say "error: these packages are missing:$missing (no apt-get here: install them with this system's own tool)"
    exit 2
  fi
  say "installing:$missing"
  # shellcheck disable=SC2086
  { $as_root apt-get update -q && \
    $as_root env DEBIAN_FRONTEND=noninteractive $command; } >"${TMPDIR:-/tmp}/ai-infra-apt-$$.log" 2>&1 || {
      say "error: apt-get failed; the end of its log:"
      tail -n 5 "${TMPDIR:-/tmp}/ai-infra-apt-$$.log" >&2
      exit 2
    }
  rm -f "${TMPDIR:-/tmp}/ai-infra-apt-$$.log"
  missing=""
}
