#!/usr/bin/env bash
# Installs ai-infra, upgrades it, or takes it away again and leaves the data.
#
#   scripts/install.sh [install] [--binary FILE] [--home DIR] [--prefix DIR] [--no-start]
#   scripts/install.sh uninstall
#   scripts/install.sh apparmor     as root, on Ubuntu 24.04: lets ordinary users' teams build sandboxes
#
# As root: the program to /usr/local/bin, a home in /var/lib/ai-infra, settings in /etc/ai-infra, a
# systemd unit, shell completions, a group `ai-infra` whose members may attach. As an ordinary user:
# the program to ~/.local/bin and a unit of your own that stays when you log out.
# Again: an upgrade; the team is restarted and goes on where it was.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/requirements.sh
. "$root/scripts/requirements.sh"

unit=ai-infrastructure.service
# Owns what sandboxes make where root owns the workspace: `sandbox.service_uid` of the settings.
service_uid=60999
# Each runs the agent of its name and owns nothing; an agent without one gets a number that nobody has.
agents="code data infra research qa"

fail() {
  say "error: $1"
  shift
  for line in "$@"; do say "       $line"; done
  exit 2
}

verb=install binary="" home="" prefix="" start=yes
while [ $# -gt 0 ]; do
  case "$1" in
    install | uninstall | apparmor) verb=$1 ;;
    --binary) binary=${2:?--binary needs a file} && shift ;;
    --home) home=${2:?--home needs a folder} && shift ;;
    --prefix) prefix=${2:?--prefix needs a folder} && shift ;;
    --no-start) start=no ;;
    -h | --help)
      sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *) fail "unknown argument: $1" "see: scripts/install.sh --help" ;;
  esac
  shift
done

if [ "$(id -u)" -eq 0 ]; then
  as_root=yes
  prefix=${prefix:-/usr/local}
  home=${home:-/var/lib/ai-infra}
  units=/etc/systemd/system
  template=$root/packaging/ai-infrastructure.service
  bash_completions=/usr/share/bash-completion/completions
  zsh_completions=/usr/local/share/zsh/site-functions
  fish_completions=/usr/share/fish/vendor_completions.d
  control() { systemctl "$@"; }
else
  as_root=no
  prefix=${prefix:-$HOME/.local}
  home=${home:-${XDG_STATE_HOME:-$HOME/.local/state}/ai-infra}
  units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
  template=$root/packaging/ai-infrastructure.user.service
  bash_completions=${XDG_DATA_HOME:-$HOME/.local/share}/bash-completion/completions
  zsh_completions=${XDG_DATA_HOME:-$HOME/.local/share}/zsh/site-functions
  fish_completions=${XDG_DATA_HOME:-$HOME/.local/share}/fish/vendor_completions.d
  control() { systemctl --user "$@"; }
fi
case "$home$prefix" in
  *[[:space:]]*) fail "a path with blanks cannot stand in a unit: $home, $prefix" "choose others with --home and --prefix" ;;
  /*) ;;
  *) fail "paths must be absolute: $home" ;;
esac
program=$prefix/bin/ai-infra

# Whether systemd runs this machine, and for an ordinary user their own part of it.
systemd_runs() {
  [ -d /run/systemd/system ] && { [ "$as_root" = yes ] || control show-environment >/dev/null 2>&1; }
}

install_apparmor() {
  [ "$as_root" = yes ] || fail "the AppArmor profile is root's to install" "sudo $root/scripts/install.sh apparmor"
  command -v apparmor_parser >/dev/null 2>&1 || fail "there is no AppArmor here (no apparmor_parser): nothing to install"
  if [ "$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null)" != 1 ]; then
    say "✓ ordinary users may make user namespaces here: no profile needed"
    return
  fi
  if grep -rlsE '^[^#]*/usr/bin/bwrap' /etc/apparmor.d --exclude=ai-infra-bwrap | head -n 1 | grep -q .; then
    fail "another AppArmor profile for bubblewrap is there: $(grep -rlsE '^[^#]*/usr/bin/bwrap' /etc/apparmor.d --exclude=ai-infra-bwrap | head -n 1)" \
      "let it allow \`userns,\` or remove it, then run this again"
  fi
  install -m 0644 "$root/packaging/apparmor-bwrap" /etc/apparmor.d/ai-infra-bwrap
  apparmor_parser -r /etc/apparmor.d/ai-infra-bwrap
  say "✓ AppArmor: bubblewrap may make user namespaces"
}

filled() {
  sed -e "s#@BINARY@#$program#g" -e "s#@HOME@#$home#g" "$1"
}

build() {
  if [ -n "$binary" ]; then
    [ -x "$binary" ] || fail "$binary is not a program" "build one: cargo build --release --locked -p cli"
    return
  fi
  need cc gcc
  install_missing
  find_rust
  cargo build --release --locked --manifest-path "$root/Cargo.toml" -p cli
  binary=${CARGO_TARGET_DIR:-$root/target}/release/ai-infra
}

accounts() {
  getent group ai-infra >/dev/null || groupadd --system ai-infra
  local owner
  owner=$(getent passwd "$service_uid" | cut -d: -f1 || true)
  case "$owner" in
    ai-infra-work) ;;
    "")
      useradd --system --uid "$service_uid" --user-group --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin --comment "what ai-infra's sandboxes make" ai-infra-work 2>/dev/null ||
        fail "the account ai-infra-work could not be made" "an account of that name with another uid than $service_uid? remove it, then run this again"
      ;;
    *) fail "uid $service_uid belongs to $owner" "choose another in /etc/ai-infra/ai-infra.yaml (sandbox: {service_uid: N}) and in this script" ;;
  esac
  local agent
  for agent in $agents; do
    getent passwd "ai-infra-$agent" >/dev/null ||
      useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin \
        --comment "ai-infra's agent $agent" "ai-infra-$agent" ||
      fail "the account ai-infra-$agent could not be made" "see what useradd said above"
  done
  if [ -d /etc/sudoers.d ]; then
    filled "$root/packaging/sudoers" >/etc/sudoers.d/.ai-infra.new
    chmod 0440 /etc/sudoers.d/.ai-infra.new
    if command -v visudo >/dev/null 2>&1 && ! visudo -cqf /etc/sudoers.d/.ai-infra.new; then
      rm -f /etc/sudoers.d/.ai-infra.new
      fail "sudo does not take the rule for the group ai-infra: see packaging/sudoers"
    fi
    mv -f /etc/sudoers.d/.ai-infra.new /etc/sudoers.d/ai-infra
  fi
  mkdir -p /etc/ai-infra
}

do_install() {
  need redis-server redis-server
  need tmux tmux
  need bwrap bubblewrap
  need git git
  install_missing
  build
  local new old=""
  new=$("$binary" --version) || fail "$binary does not run here"
  [ -x "$program" ] && old=$("$program" --version 2>/dev/null || true)
  if [ "$as_root" = yes ]; then accounts; fi

  # Beside the old one, then in its place: nobody ever runs half a program.
  mkdir -p "$prefix/bin"
  install -m 0755 "$binary" "$program.new"
  mv -f "$program.new" "$program"
  say "✓ $program   ($new${old:+, was $old})"

  local shell folder file
  for shell in bash zsh fish; do
    case "$shell" in
      bash) folder=$bash_completions file=ai-infra ;;
      zsh) folder=$zsh_completions file=_ai-infra ;;
      fish) folder=$fish_completions file=ai-infra.fish ;;
    esac
    mkdir -p "$folder"
    "$program" completions "$shell" >"$folder/$file.new"
    mv -f "$folder/$file.new" "$folder/$file"
  done
  say "✓ completions for bash, zsh and fish"

  local again=no
  "$program" --home "$home" status 2>/dev/null | grep -q '^the team is down' || again=yes
  if systemd_runs; then
    mkdir -p "$units"
    filled "$template" >"$units/.$unit.new"
    # A team that a person started by hand becomes the unit's.
    if [ "$again" = yes ] && ! control is-active --quiet "$unit"; then
      "$program" --home "$home" down >/dev/null
    fi
    mv -f "$units/.$unit.new" "$units/$unit"
    control daemon-reload
    control enable --quiet "$unit"
    say "✓ $units/$unit, started at boot"
    if [ "$as_root" = no ] && [ ! -e "/var/lib/systemd/linger/$(id -un)" ]; then
      loginctl enable-linger "$(id -un)" 2>/dev/null ||
        say "! the team ends when you log out; as root: loginctl enable-linger $(id -un)"
    fi
  else
    say "! no systemd here: nothing starts the team at boot; ai-infra up does it by hand"
  fi

  if [ "$start" = no ]; then
    say "next:  $program up"
  elif [ "$again" = yes ]; then
    "$program" --home "$home" restart
  else
    "$program" --home "$home" up
  fi
  case ":$PATH:" in
    *":$prefix/bin:"*) ;;
    *) say "! $prefix/bin is not on your PATH" ;;
  esac
}

do_uninstall() {
  if systemd_runs && [ -e "$units/$unit" ]; then
    # The home in the unit is the one that was installed.
    home=$(sed -n 's/^ExecStart=.* --home \([^ ]*\) daemon$/\1/p' "$units/$unit")
    control disable --quiet --now "$unit" || true
  fi
  if [ -x "$program" ]; then "$program" --home "$home" down; fi
  rm -f "$units/$unit" "$program" "$bash_completions/ai-infra" "$zsh_completions/_ai-infra" "$fish_completions/ai-infra.fish"
  if systemd_runs; then control daemon-reload; fi
  if [ "$as_root" = yes ]; then
    rm -f /etc/sudoers.d/ai-infra
    if [ -e /etc/apparmor.d/ai-infra-bwrap ]; then
      apparmor_parser -R /etc/apparmor.d/ai-infra-bwrap 2>/dev/null || true
      rm -f /etc/apparmor.d/ai-infra-bwrap
    fi
    local account
    for account in work $agents; do
      if getent passwd "ai-infra-$account" >/dev/null; then userdel "ai-infra-$account" 2>/dev/null || true; fi
    done
    if getent group ai-infra >/dev/null; then groupdel ai-infra 2>/dev/null || true; fi
  fi
  say "✓ ai-infra is gone; what the team knows and made is still there:"
  local kept
  for kept in "$home" /etc/ai-infra; do
    if [ -w "$kept" ]; then say "    $kept"; fi
  done
  say "  remove it with rm -rf when you are sure"
}

case "$verb" in
  install) do_install ;;
  uninstall) do_uninstall ;;
  apparmor) install_apparmor ;;
esac
