#!/usr/bin/env bash
# Lives the first half hour with a team, without a model, and writes down what a terminal of 80x24 showed:
# docs/half-hour.md. The keys are pressed in a real tmux by this script; what stands in the page is what the
# screen held, nothing is edited. It runs as a user `ann` on a host `garden` of its own (mount, host name and
# processes apart), so no path or process of this machine gets into it, and nothing of it stays.
#   scripts/record-half-hour.sh [--exe FILE] [--out FILE]     needs root, redis, tmux, bwrap, git, node
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/requirements.sh
. "$root/scripts/requirements.sh"

exe=${AI_INFRA_EXE:-} out=$root/docs/half-hour.md
while [ $# -gt 0 ]; do
  case "$1" in
    --exe) exe=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) say "error: \`$1\` is not known: --exe FILE, --out FILE"; exit 2 ;;
  esac
done

# ---- outside: make the stage, then come back inside it -------------------------------------------------
if [ -z "${AI_INFRA_STAGE:-}" ]; then
  [ "$(id -u)" = 0 ] || { say "error: namespaces of its own need root: run it with sudo"; exit 1; }
  need redis-server redis-server
  need tmux tmux
  need bwrap bubblewrap
  need git git
  need node nodejs
  install_missing
  if [ -z "$exe" ]; then
    find_rust
    cargo build --quiet --release --locked --manifest-path "$root/Cargo.toml" -p cli
    exe=${CARGO_TARGET_DIR:-$root/target}/release/ai-infra
  fi
  AI_INFRA_STAGE=$(mktemp -d -p /var/tmp)
  export AI_INFRA_STAGE
  trap 'rm -rf "$AI_INFRA_STAGE"' EXIT
  cp "$exe" "$AI_INFRA_STAGE/ai-infra"
  chmod 755 "$AI_INFRA_STAGE" "$AI_INFRA_STAGE/ai-infra"
  code=0
  unshare --mount --uts --pid --fork --kill-child --mount-proc "${BASH_SOURCE[0]}" --out "$out" || code=$?
  if [ "$code" != 0 ]; then
    cp "$AI_INFRA_STAGE/page.md" "$out.part" 2>/dev/null || true
    say "error: the recording stopped; $out is as it was, as far as it came is in $out.part"
    exit "$code"
  fi
  # Whose machine it was must not be read in it.
  for name in "$(hostname)" "$root" "$AI_INFRA_STAGE"; do
    if grep -qwF -- "$name" "$AI_INFRA_STAGE/page.md"; then
      say "error: the page names this machine: $(grep -nwF -- "$name" "$AI_INFRA_STAGE/page.md" | head -n 3)"
      exit 1
    fi
  done
  cp "$AI_INFRA_STAGE/page.md" "$out"
  say "✓ $out"
  exit 0
fi

# ---- inside: the host `garden` and its user `ann` -------------------------------------------------------
stage=$AI_INFRA_STAGE
page=$stage/page.md
hostname garden
mkdir -p "$stage/home/ann/bin"
mount --bind "$stage/home" /home
cp "$stage/ai-infra" /home/ann/bin/ai-infra
cp /etc/passwd "$stage/passwd"
cp /etc/group "$stage/group"
ann=4242
echo "ann:x:$ann:$ann:Ann:/home/ann:/bin/bash" >> "$stage/passwd"
echo "ann:x:$ann:" >> "$stage/group"
chmod 644 "$stage/passwd" "$stage/group"
mount --bind "$stage/passwd" /etc/passwd
mount --bind "$stage/group" /etc/group
mount -t tmpfs -o mode=1777 tmpfs /tmp

# A small shop with two real mistakes in it, a key that should not be there and a link that leads nowhere.
shop=/home/ann/shop
mkdir -p $shop/src $shop/test $shop/docs $shop/data
cat > $shop/package.json <<'TXT'
{"name": "shop", "version": "1.4.0", "license": "MIT", "scripts": {"test": "node --test"}}
TXT
cat > $shop/README.md <<'TXT'
# Shop

Sells flower bulbs. How to deploy it: [docs/deploy.md](docs/deploy.md), how to
take it back: [docs/rollback.md](docs/rollback.md).
TXT
cat > $shop/docs/deploy.md <<'TXT'
# Deploy

Push to `main`, wait for the tests, then run `make deploy`.
TXT
cat > $shop/src/address.js <<'TXT'
// TODO: look the domain up
const ADDRESS = /^[a-z0-9._-]+@[a-z0-9.-]+\.[a-z]{2,}$/i;
exports.valid = (address) => ADDRESS.test(address);
TXT
cat > $shop/src/cart.js <<'TXT'
exports.total = (lines) => lines.reduce((sum, line) => sum + line.price * line.count, 0);
exports.shipping = (total) => (total > 50 ? 0 : 4.9);
TXT
cat > $shop/test/address.test.js <<'TXT'
const { describe, it } = require('node:test');
const assert = require('node:assert');
const { valid } = require('../src/address');
describe('address', () => {
  it('takes a plain one', () => assert.ok(valid('ann@example.org')));
  it('takes one with a plus', () => assert.ok(valid('ann+bulbs@example.org')));
  it('refuses one without a domain', () => assert.ok(!valid('ann@')));
});
TXT
cat > $shop/test/cart.test.js <<'TXT'
const { describe, it } = require('node:test');
const assert = require('node:assert');
const { total, shipping } = require('../src/cart');
describe('cart', () => {
  it('adds up', () => assert.equal(total([{ price: 2, count: 3 }, { price: 4, count: 1 }]), 10));
  it('ships free from 50', () => assert.equal(shipping(50), 0));
});
TXT
cat > $shop/test/stock.test.js <<'TXT'
const { it } = require('node:test');
// The warehouse answers slowly.
it('counts what the warehouse says', () => new Promise((done) => setTimeout(done, 6000)));
TXT
cat > $shop/deploy.env <<'TXT'
SHOP_PORT=8080
TXT
printf 'AWS_ACCESS_KEY_ID=%s%s\n' AKIA Z7QX4RWN2TPLVK3M >> $shop/deploy.env
{
  echo 'id,customer,total,paid'
  for n in $(seq 1 40); do echo "$n,customer$((n % 9)),$((n * 7 % 90)).50,yes"; done
  echo '40,customer4,10.50,yes'
  echo '41,,12.00,no'
} > $shop/data/orders.csv
chown -R $ann:$ann /home/ann

# What else this machine does must not hold the tasks back.
as_ann=(setpriv --reuid "$ann" --regid "$ann" --clear-groups env -i HOME=/home/ann USER=ann LOGNAME=ann
  SHELL=/bin/bash PATH=/home/ann/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 TERM=screen-256color
  AI_INFRA__PRESSURE__ENABLED=false)
as_ann() { "${as_ann[@]}" "$@"; }
as_ann git -C $shop init -q -b main
as_ann git -C $shop config user.name Ann
as_ann git -C $shop config user.email ann@example.org
as_ann git -C $shop add -A
as_ann git -C $shop commit -q -m "the shop"

cat > /home/ann/.bashrc <<'TXT'
PS1='ann@garden:\w$ '
TXT

# ---- the terminal ----------------------------------------------------------------------------------------
term() { tmux -S "$stage/term.sock" "$@"; }
cd /home/ann
term -f /dev/null new-session -d -x 80 -y 24 "${as_ann[*]} bash --rcfile .bashrc"
term set -g status off
term set -g history-limit 5000
term set -g escape-time 0
# The outer terminal has no prefix of its own: Ctrl-b is the team's.
term set -g prefix None
term resize-window -x 80 -y 24

seen() { term capture-pane -p; }
all_seen() { term capture-pane -p -S -; }

# until_shows WHAT [SECONDS]: waits until the screen holds these words.
until_shows() {
  local tries=$((${2:-30} * 10))
  until seen | grep -qE -- "$1"; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then
      say "error: the terminal never showed: $1"
      all_seen >&2
      exit 1
    fi
    sleep 0.1
  done
}
# until_works AGENT: waits until it runs a tool.
until_works() {
  local tries=300
  until as_ann ai-infra agents show "$1" | grep -qE '^  holds +t'; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { say "error: $1 never began"; exit 1; }
    sleep 0.1
  done
  sleep 1
}
prompt() { seen | sed '/^$/d' | tail -n 1 | grep -qE '^ann@garden:.*\$$'; }
until_prompt() {
  local tries=$((${1:-60} * 10))
  until prompt; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then
      say "error: the command does not end"
      all_seen >&2
      exit 1
    fi
    sleep 0.1
  done
}

# The page.
tell() { printf '%s\n\n' "$*" >> "$page"; }
trimmed() { sed -e 's/[[:space:]]*$//' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; }
block() { { echo '```text'; trimmed; echo '```'; echo; } >> "$page"; }

# shell COMMAND: typed at the prompt; the page gets the line and all that it printed.
shell() {
  term send-keys C-l
  sleep 0.2
  term clear-history
  term send-keys -l -- "$1"
  term send-keys Enter
  sleep 0.3
  until_prompt "${2:-90}"
  # Its last line is the prompt that waits for the next one.
  all_seen | trimmed | sed -e '$d' | block
}
keys() { term send-keys "$@"; }
type_in() { term send-keys -l -- "$1"; }
# screen: what the terminal shows now.
screen() { seen | block; }
# window N: to a window of the team.
window() { keys C-b; keys "$1"; sleep 1.2; }

begun=$(date +%s)
# shellcheck source=scripts/half-hour.sh
. "$root/scripts/half-hour.sh"
took=$(($(date +%s) - begun))
say "recorded in $took s"
as_ann ai-infra down > /dev/null 2>&1 || true
term kill-server
