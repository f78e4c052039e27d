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
need ip iproute2
need cc gcc
need make make
need python3 python3
need node nodejs
need npm npm
need zsh zsh
need fish fish
[ -x /usr/sbin/nginx ] || need nginx nginx-light
[ -x /usr/sbin/sshd ] || need sshd openssh-server
need ssh-keygen openssh-client
[ -x /usr/sbin/fcgiwrap ] || need fcgiwrap fcgiwrap
# An engine of containers; only root has one of its own here.
if [ "$(id -u)" = 0 ]; then
  need podman podman
  need runc runc
fi
[ -x /usr/bin/certbot ] || need certbot certbot
[ -x /usr/bin/pebble ] || need pebble pebble
[ -n "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || need initdb postgresql
install_missing
find_rust

# Test frameworks of other languages, storage and a model API that others wrote, live beside the build.
tools="$root/target/test-tools"
mkdir -p "$tools"
if [ ! -x "$tools/venv/bin/pytest" ]; then
  if ! python3 -m venv "$tools/venv" >/dev/null 2>&1; then
    missing=" python3-venv"
    install_missing
    python3 -m venv "$tools/venv"
  fi
  "$tools/venv/bin/pip" install --quiet --disable-pip-version-check pytest==8.4.2
fi
if [ ! -x "$tools/venv/bin/aiosmtpd" ]; then
  "$tools/venv/bin/pip" install --quiet --disable-pip-version-check aiosmtpd==1.4.6
fi
if [ ! -x "$tools/venv/bin/moto_server" ]; then
  "$tools/venv/bin/pip" install --quiet --disable-pip-version-check 'moto[s3,secretsmanager,iam,server]==5.2.5'
fi
# The schema of compose files.
if [ ! -x "$tools/venv/bin/check-jsonschema" ]; then
  "$tools/venv/bin/pip" install --quiet --disable-pip-version-check check-jsonschema==0.39.0 ||
    say "pip could not install check-jsonschema: the test that needs it says so and is skipped"
fi
# Checkers and a judge of tables, to hold the playbooks against.
if [ ! -x "$tools/venv/bin/ruff" ] || [ ! -x "$tools/venv/bin/black" ] || ! "$tools/venv/bin/python" -c 'import pandas' 2>/dev/null; then
  "$tools/venv/bin/pip" install --quiet --disable-pip-version-check ruff==0.17.5 black==26.10.1 pandas==3.1.1 ||
    say "pip could not install ruff, black and pandas: the tests that need them say so and are skipped"
fi
if [ ! -x "$tools/node_modules/.bin/eslint" ] || [ ! -x "$tools/node_modules/.bin/prettier" ]; then
  npm install --silent --no-audit --no-fund --prefix "$tools" eslint@10.15.0 prettier@3.10.1 ||
    say "npm could not install eslint and prettier: the tests that need them say so and are skipped"
fi
if [ ! -x "$tools/node_modules/.bin/llmock" ]; then
  npm install --silent --no-audit --no-fund --prefix "$tools" @copilotkit/aimock@1.43.0 ||
    say "npm could not install the model API mock: the tests that need it say so and are skipped"
fi

if [ ! -x "$tools/node_modules/.bin/prism" ] || [ ! -e "$tools/node_modules/@octokit/openapi" ]; then
  if npm install --silent --no-audit --no-fund --prefix "$tools" \
    @copilotkit/aimock@1.43.0 @stoplight/prism-cli@5.14.2 @octokit/openapi@23.0.2; then
    # Of GitHub's descriptions one is needed; the others are 380 MB.
    find "$tools/node_modules/@octokit/openapi/generated" -name '*.json' ! -name api.github.com.json -delete
  else
    say "npm could not install the mock of GitHub's API: the test that needs it says so and is skipped"
  fi
fi

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
# Property tests begin from the same number each time, so that what fails fails again; another number
# (or PROPTEST_CASES=10000) looks further.
export PROPTEST_RNG_SEED="${PROPTEST_RNG_SEED:-20}"
cargo test --workspace --locked --no-fail-fast
