#!/usr/bin/env bash
# Every attempt of tests/redteam to get out of the sandbox, as root and as an ordinary user, each
# with its control. `--json` prints one document: {attempts, denied, escaped, unaudited, …}.
# Other words pick attempts by name, and `--loud` shows what was said inside.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# shellcheck source=scripts/requirements.sh
. "$root/scripts/requirements.sh"

need bwrap bubblewrap
need git git
need redis-server redis-server
need tmux tmux
need python3 python3
need node nodejs
need npm npm
need cc gcc
need make make
need perl perl
need curl curl
install_missing
find_rust

cargo test --quiet --package guard --test redteam --locked --no-run 1>&2
exec cargo test --quiet --package guard --test redteam --locked -- --whole "$@"
