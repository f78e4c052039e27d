#!/usr/bin/env bash
# Every check of the project: format, lints, the whole suite. Installs what the tests need.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# shellcheck source=scripts/requirements.sh
. "$root/scripts/requirements.sh"

need redis-server redis-server
need tmux tmux
need bwrap bubblewrap
need git git
need cc gcc
need make make
need python3 python3
need node nodejs
need npm npm
need go golang-go
install_missing
find_rust

# Test frameworks of other languages, and a model API that others wrote, live beside the build.
tools="$root/target/test-tools"
mkdir -p "$tools"
if [ ! -x "$tools/venv/bin/pytest" ]; then
  python3 -m venv "$tools/venv" 2>/dev/null || {
    need python3-venv-is-missing python3-venv
    install_missing
    python3 -m venv "$tools/venv"
  }
  "$tools/venv/bin/pip" install --quiet --disable-pip-version-check pytest==8.4.2
fi
if [ ! -x "$tools/node_modules/.bin/llmock" ] || [ ! -x "$tools/node_modules/.bin/jest" ]; then
  npm install --silent --no-audit --no-fund --prefix "$tools" @copilotkit/aimock@1.43.0 jest@30 ||
    say "npm could not install the model API mock and jest: the tests that need them say so and are skipped"
fi

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo test --workspace --locked --no-fail-fast
