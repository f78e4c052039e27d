#!/usr/bin/env bash
# The proof of the promise: a team works while everything that belongs to it is killed and stopped
# at random; at the end it is counted what was lost, done twice or left over. Exit code 1 says that
# something was. With --fault NAME a guarantee is left out, and the exit code must be 1.
#   scripts/torture.sh --tasks 2000 --kills 500 --seed 1 --lease 1s [--json]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# shellcheck source=scripts/requirements.sh
. "$root/scripts/requirements.sh"

need redis-server redis-server
need redis-cli redis-tools
need tmux tmux
need bwrap bubblewrap
need git git
install_missing
find_rust

# With debug assertions: only such a build knows the faults.
say "building ai-infra and the torture harness"
cargo build --quiet --locked -p cli -p tests --bin ai-infra --bin torture
exec "${CARGO_TARGET_DIR:-$root/target}/debug/torture" --exe "${CARGO_TARGET_DIR:-$root/target}/debug/ai-infra" "$@"
