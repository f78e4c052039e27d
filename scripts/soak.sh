#!/usr/bin/env bash
# A team left alone, or with a task now and then, for as long as you like: what each process holds in
# memory at the start and at the end, how much processor time it took, which files grew. It measures and
# asserts nothing. A release build, a home of its own, tmux windows as a person has them.
#   scripts/soak.sh [--minutes 10] [--every 60s] [--json]     without --every the team stays idle
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/requirements.sh
. "$root/scripts/requirements.sh"

minutes=10 every=0 json=0
while [ $# -gt 0 ]; do
  case "$1" in
    --minutes) minutes=$2; shift 2 ;;
    --every) every=${2%s}; shift 2 ;;
    --json) json=1; shift ;;
    -h | --help) sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) say "error: \`$1\` is not known: --minutes N, --every 60s, --json"; exit 2 ;;
  esac
done
case "$minutes$every" in
  *[!0-9]*) say "error: --minutes takes a whole number, --every seconds such as 60s"; exit 2 ;;
esac

need redis-server redis-server
need tmux tmux
need bwrap bubblewrap
need git git
install_missing
exe=${AI_INFRA_EXE:-}
if [ -z "$exe" ]; then
  find_rust
  cargo build --quiet --release --locked --manifest-path "$root/Cargo.toml" -p cli
  exe=${CARGO_TARGET_DIR:-$root/target}/release/ai-infra
fi

work=$(mktemp -d)
export AI_INFRA_HOME=$work/home
folder=$work/folder
mkdir -p "$folder"
printf 'one\ntwo\n' >"$folder/notes.txt"
end() {
  "$exe" down >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap end EXIT
"$exe" up >&2

# name, pid, PSS in kB, processor ticks; one line a process.
processes() {
  for file in "$AI_INFRA_HOME"/run/pids/*.json; do
    name=$(basename "$file" .json)
    pid=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$file")
    [ -r "/proc/$pid/smaps_rollup" ] || continue
    pss=$(awk '/^Pss:/ {print $2}' "/proc/$pid/smaps_rollup")
    ticks=$(sed 's/.*) //' "/proc/$pid/stat" | awk '{print $12 + $13}')
    printf '%s %s %s %s\n' "${name#agent-}" "$pid" "$pss" "$ticks"
  done
}

# name and bytes of everything a run writes.
files() {
  (cd "$AI_INFRA_HOME" && for name in *; do
    printf '%s %s\n' "$name" "$(du -sb "$name" | cut -f1)"
  done)
}

# Urgent, so that a machine that is busy with other things does not hold it back.
ask() {
  "$exe" run "what is unfinished here?" --workspace "$folder" --priority 8 --json >/dev/null
}

# What is made once is made before the watch begins.
[ "$every" -eq 0 ] || ask
sleep 15
processes >"$work/processes.start"
files >"$work/files.start"
began=$(date +%s)
until=$((began + minutes * 60))
asked=0
while [ "$(date +%s)" -lt "$until" ]; do
  left=$((until - $(date +%s)))
  if [ "$every" -eq 0 ]; then
    sleep "$left"
  else
    ask
    asked=$((asked + 1))
    left=$((until - $(date +%s)))
    [ "$left" -le 0 ] || sleep "$((every < left ? every : left))"
  fi
done
took=$(($(date +%s) - began))
processes >"$work/processes.end"
files >"$work/files.end"

awk -v took="$took" -v asked="$asked" -v json="$json" -v hz="$(getconf CLK_TCK)" '
  FILENAME ~ /processes.start$/ { pid[$1] = $2; before[$1] = $3; ticks[$1] = $4; next }
  FILENAME ~ /processes.end$/ {
    names[++n] = $1; after[$1] = $3; again[$1] = (pid[$1] != $2)
    busy[$1] = again[$1] ? "null" : sprintf("%.2f", ($4 - ticks[$1]) / hz / took * 100); next
  }
  FILENAME ~ /files.start$/ { size[$1] = $2; next }
  { if ($2 != size[$1]) { grown[++g] = $1; by[$1] = $2 - size[$1] } }
  END {
    if (json) {
      printf "{\"version\":1,\"seconds\":%d,\"tasks\":%d,\"processes\":[", took, asked
      for (i = 1; i <= n; i++) {
        p = names[i]
        printf "%s{\"name\":\"%s\",\"pss_start_kb\":%d,\"pss_end_kb\":%d,\"cpu_percent\":%s,\"restarted\":%s}", \
          (i > 1 ? "," : ""), p, before[p], after[p], busy[p], (again[p] ? "true" : "false")
      }
      printf "],\"files\":["
      for (i = 1; i <= g; i++)
        printf "%s{\"name\":\"%s\",\"grew_bytes\":%d}", (i > 1 ? "," : ""), grown[i], by[grown[i]]
      print "]}"
      exit
    }
    printf "%d s, %d tasks\n\n%-18s %12s %12s %12s\n", took, asked, "process", "PSS before", "PSS after", "processor"
    for (i = 1; i <= n; i++) {
      p = names[i]
      printf "%-18s %9.2f MB %9.2f MB %10s %%%s\n", p, before[p] * 1.024e-3, after[p] * 1.024e-3, busy[p], \
        (again[p] ? "  (started again)" : "")
    }
    print ""
    for (i = 1; i <= g; i++) printf "%-18s grew by %d bytes\n", grown[i], by[grown[i]]
    if (!g) print "no file grew"
  }
' "$work/processes.start" "$work/processes.end" "$work/files.start" "$work/files.end"
