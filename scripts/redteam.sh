#!/usr/bin/env bash
# Every attempt of tests/redteam to get out of the sandbox, or to act without leave, as root and as an ordinary user, each
# with its control. `--json` prints one document: {attempts, denied, escaped, unaudited, …}; `unaudited`
# counts calls of a real team, made from the same attempts, that its record does not tell.
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
need fcgiwrap fcgiwrap
[ -x /usr/sbin/nginx ] || need nginx nginx-light
install_missing
find_rust

cargo test --quiet --package guard --test redteam --locked --no-run 1>&2
told=()
named=false
for word in "$@"; do
    case $word in -*) ;; *) named=true ;; esac
done
if [ "$named" = false ]; then
    # Every attempt once more, through the agents of a real team: each call must be in the record.
    record=$(mktemp)
    trap 'rm -f "$record"' EXIT
    REDTEAM_RECORD=$record cargo test --quiet --package cli --test stories --locked -- \
        --exact redteam_record::every_attempt_is_in_the_record 1>&2
    told=(--record "$record")
fi
cargo test --quiet --package guard --test redteam --locked -- --whole "${told[@]}" "$@"
