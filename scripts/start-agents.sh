#!/usr/bin/env bash
# From a clone to a working team: installs what is missing, builds a release, starts the team and
# gives it a first job. Run it again whenever you like.
#
#   scripts/start-agents.sh ["request"]      default: look over this repository
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/requirements.sh
. "$root/scripts/requirements.sh"

case "${1:-}" in
  -h | --help)
    sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac
request=${1:-look over this repository}

need redis-server redis-server
need tmux tmux
need bwrap bubblewrap
need git git
need cc gcc
install_missing
# The C library's headers come apart from the compiler.
printf '#include <stdio.h>\nint main(void){return 0;}\n' | cc -x c -o /dev/null - 2>/dev/null || {
  missing=" libc6-dev"
  install_missing
}
find_rust
redis=$(redis-server --version | sed -n 's/.*v=\([0-9.]*\).*/\1/p')
printf '✓ redis-server %s   ✓ tmux %s   ✓ git %s   ✓ %s\n' "$redis" \
  "$(tmux -V | cut -d' ' -f2)" "$(git --version | cut -d' ' -f3)" "$(bwrap --version)"

started=$(date +%s)
cargo build --release --locked --manifest-path "$root/Cargo.toml" -p cli
took=$(($(date +%s) - started))
target=${CARGO_TARGET_DIR:-$root/target}
ai_infra="$target/release/ai-infra"
printf '✓ built %s in %d min %d s\n' "$("$ai_infra" --version)" $((took / 60)) $((took % 60))

"$ai_infra" up | sed '/^$/,$d'
printf '\n'
cd "$root"
code=0
"$ai_infra" run "$request" --workspace "$root" || code=$?
cat <<TXT

next:  $ai_infra attach              see the team (Ctrl-b d leaves it working)
       $ai_infra run "…"             another task
       $ai_infra playbook list       what works without a model
       $ai_infra secret set anthropic-api-key    and the team thinks with Claude
TXT
exit "$code"
