#!/usr/bin/env bash
# The drills themselves, inside the machine that scripts/vm-drills.sh has made: `before` a boot, and `after` it.
set -uo pipefail
here=/opt/ai-infra
program=$here/ai-infra
# A machine that is calculated is slow: what is waited for comes, or it is a failure.
patience=240
failed=0

# drill WHAT COMMAND…: a line that says whether the command succeeds.
drill() {
  local what=$1
  shift
  if "$@" >/tmp/said 2>&1; then
    echo "  ok      $what"
  else
    echo "  FAILED  $what"
    sed 's/^/            /' /tmp/said | tail -n 20
    failed=1
  fi
}

waits() {
  local until=$((SECONDS + patience))
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || { echo "not within $patience s: $*"; return 1; }
    sleep 1
  done
}

field() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }
up() { ai-infra status | head -n 1 | grep -q 'is up'; }
is() { ai-infra task list | awk -v t="$1" '$1 == t {print $2}' | grep -qx "$2"; }
over() { ai-infra task list | awk -v t="$1" '$1 == t {print $2}' | grep -qxE 'done|failed|refused|cancelled|waits'; }
waiting() { ai-infra approvals list | grep -q "^$1 .*waits"; }
starts() { wc -l </root/drilled.starts; }

task=0 ticket=0
# asked WORDS: a task whose ticket waits.
asked() {
  task=$((task + 1)) ticket=$((ticket + 1))
  ai-infra run --no-wait "$1" --workspace /root/work >/dev/null || return 1
  waits waiting "a$ticket"
}
yes_to_it() {
  local mark
  mark=$(ai-infra approvals show "a$ticket" --json | field '["ticket"]["mark"]')
  ai-infra approvals approve "a$ticket" "$mark" --sign /root/.ssh/id_ed25519
}

installed() { (cd "$here" && scripts/install.sh --binary "$program"); }
all_good() { ai-infra doctor >/tmp/doctor; ! grep -q '^✗' /tmp/doctor || { cat /tmp/doctor; return 1; }; }
bounds() { ai-infra doctor | grep '^✓ bounds' | grep 'version 2'; }
pid_of() { ai-infra status --json | python3 -c "import json, sys; print(next(p['pid'] for p in json.load(sys.stdin)['processes'] if p['name'] == '$1'))"; }
own_users() {
  local role who
  for role in code data infra research qa; do
    who=$(ps -o user:32= -p "$(pid_of "$role")")
    [ "$who" = "ai-infra-$role" ] || { echo "$role is $who"; return 1; }
  done
}

restarted() {
  local before
  systemctl start nginx
  before=$(systemctl show -p MainPID --value nginx)
  asked "restart nginx.service" && yes_to_it && waits is "t$task" "done" &&
    systemctl is-active nginx && [ "$(systemctl show -p MainPID --value nginx)" != "$before" ]
}
served() {
  asked "serve /srv/www/shop as shop.example" && yes_to_it && waits is "t$task" "done" &&
    curl -sf -H 'Host: shop.example' http://127.0.0.1/ | grep -q 'the shop'
}

# in_the_middle EXPECTED COMMAND…: while the service is being restarted something happens; the task ends as expected,
# and the service was begun exactly once.
in_the_middle() {
  local expected=$1 before
  shift
  asked "restart drilled.service" || return 1
  before=$(starts)
  yes_to_it || return 1
  begun() { [ "$(starts)" -gt "$before" ]; }
  waits begun || return 1
  "$@" || { echo "that could not be done: $*"; return 1; }
  if [ "${control:-no}" = yes ]; then systemctl restart drilled; fi
  waits up
  waits over "t$task"
  waits systemctl is-active drilled
  local ended
  ended=$(ai-infra task list | awk -v t="t$task" '$1 == t {print $2}')
  echo "t$task is $ended, begun $(($(starts) - before)) times"
  [ $(($(starts) - before)) = 1 ] && [ "$ended" = "$expected" ]
}
kill_hands() { pkill -9 -f '^/proc/self/exe hands'; }
kill_warden() { pkill -9 -f '^/usr/local/bin/ai-infra .*warden$'; }
kill_all() {
  local main
  main=$(systemctl show -p MainPID --value ai-infrastructure)
  # systemd 255 has killed every process, and then complains of threads that it does not find any more.
  systemctl kill -s KILL ai-infrastructure || true
  gone() { ! kill -0 "$main"; }
  waits gone
}
frozen() { ai-infra freeze && ai-infra status | grep -q FROZEN; }
thawed() { ai-infra thaw && waits up; }
chain() { ai-infra audit verify | grep '^chain intact'; }

bounded() {
  dmesg --clear
  "$@" run "run the tests" --workspace /home/ada/greedy
  dmesg | grep 'Memory cgroup out of memory'
}
as_ada() { runuser -u ada -- env -i HOME=/home/ada USER=ada PATH=/home/ada/.local/bin:/usr/bin:/bin LANG=C.UTF-8 XDG_RUNTIME_DIR="/run/user/$(id -u ada)" "$@"; }
profile() { apparmor_parser -r "$here/packaging/apparmor-bwrap" && grep -q '^ai-infra-bwrap ' /sys/kernel/security/apparmor/profiles; }
# Whether this system lets ordinary programs have user namespaces of any use, as Ubuntu 24.04 does not.
is_strict() { [ "$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null)" = 1 ]; }
of_ada() { as_ada AI_INFRA_HOME=/home/ada/strict "$@"; }
mounts() { as_ada unshare --user --map-root-user --mount "$@"; }
builds() { as_ada bwrap --unshare-user --ro-bind / / true; }
strict() {
  ! mounts true && ! builds || return 1
  # What it finds is its exit code too.
  ! of_ada "$program" doctor >/tmp/doctor && grep -A1 '^✗ sandbox' /tmp/doctor | grep 'scripts/install.sh apparmor'
}
mended() {
  (cd "$here" && scripts/install.sh apparmor) || return 1
  ! mounts true && builds && of_ada "$program" run "run the tests" --workspace /home/ada/small && of_ada "$program" down
}
# Where it does, what Ubuntu does to ordinary programs is done to one session: a profile that allows all but user
# namespaces. The kernel asks the same hook for the same permission.
confine() {
  cat >/etc/apparmor.d/no-userns <<P
abi <abi/4.0>,
profile no-userns {
  file,
  $1
  capability,
  network,
  unix,
  signal,
  ptrace,
  dbus,
  mount,
  umount,
  pivot_root,
  change_profile,
  mqueue,
  io_uring,
}
P
  apparmor_parser -r /etc/apparmor.d/no-userns
}
confined() { runuser -u ada -- aa-exec -p no-userns -- env -i HOME=/home/ada USER=ada PATH=/home/ada/.local/bin:/usr/bin:/bin LANG=C.UTF-8 AI_INFRA_HOME=/home/ada/confined "$@"; }
kept_from() {
  confine "" || return 1
  ! confined unshare --user true && ! confined bwrap --unshare-user --ro-bind / / true || return 1
  # What it finds is its exit code too.
  ! confined "$program" doctor >/tmp/doctor && grep '^✗ sandbox' /tmp/doctor
}
let_in() {
  confine "/usr/bin/bwrap px -> ai-infra-bwrap," && profile || return 1
  ! confined unshare --user true && confined bwrap --unshare-user --ro-bind / / true &&
    confined "$program" run "run the tests" --workspace /home/ada/small && confined "$program" down
}
lingers() { loginctl enable-linger ada && waits test -S "/run/user/$(id -u ada)/bus"; }
installed_by_ada() { as_ada bash -c "cd $here && scripts/install.sh --binary $program"; }
ada_up() { as_ada ai-infra status | head -n 1 | grep -q 'is up'; }
removed() { (cd "$here" && scripts/install.sh uninstall) && [ ! -e /usr/local/bin/ai-infra ] && [ -e /var/lib/ai-infra/config ] && ! pgrep -f '^/usr/local/bin/ai-infra'; }

prepare() {
  mkdir -p /root/work /srv/www/shop /etc/ai-infra /home/ada/greedy
  echo 'the shop' >/srv/www/shop/index.html
  ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
  echo "root $(cat /root/.ssh/id_ed25519.pub)" >/etc/ai-infra/allowed_signers
  cat >/etc/ai-infra/permissions.yaml <<'Y'
principals: {allowed_signers: /etc/ai-infra/allowed_signers, pin: false}
operations:
  services:
    nginx: {verbs: [restart], agents: [infra]}
    drilled: {verbs: [restart], agents: [infra]}
  sites: {agents: [infra], names: [shop.example], roots: [/srv/www]}
acts: {service.change: ask, site.change: ask}
Y
  # Long enough in its start to be caught there; each start leaves a line.
  cat >/etc/systemd/system/drilled.service <<'U'
[Service]
ExecStartPre=/bin/sh -c 'echo begun >>/root/drilled.starts; sleep 6'
ExecStart=/bin/sleep infinity
U
  systemctl daemon-reload
  systemctl start drilled
  # Each of six programs stays within its bound, all of them together do not.
  cat >/home/ada/greedy/Makefile <<'M'
test:
	for i in 1 2 3 4 5 6; do python3 -c "import time; b = bytearray(700 * 1024 * 1024); time.sleep(8)" & done; wait
M
  mkdir -p /home/ada/small
  printf 'test:\n\ttrue\n' >/home/ada/small/Makefile
  chown -R ada:ada /home/ada/greedy /home/ada/small
}

before() {
  prepare
  drill "installed as root, started by systemd" installed
  drill "the team is up" waits up
  drill "doctor finds nothing wrong" all_good
  drill "bounds hold by control groups, version 2" bounds
  drill "each agent is a user of its own" own_users
  drill "a service is restarted after a signed yes" restarted
  drill "a site is served after a signed yes" served
  drill "hands killed in a restart: done, once" in_the_middle "done" kill_hands
  drill "warden killed in a restart: done, once" in_the_middle "done" kill_warden
  drill "everything killed in a restart: done, once" in_the_middle "done" kill_all
  drill "frozen in a restart: it failed, and was begun once" in_the_middle failed frozen
  drill "and goes on" thawed
  drill "programs together are held to their memory" bounded ai-infra
  if is_strict; then
    drill "no ordinary program may make a sandbox here, and doctor says so and what helps" strict
    drill "with the profile for bubblewrap a team works here, and no other program may mount" mended
  elif [ -e /etc/apparmor.d/abi/4.0 ]; then
    drill "AppArmor takes the profile" profile
    drill "where AppArmor keeps user namespaces from programs, doctor says that no sandbox can be made" kept_from
    drill "with the profile for bubblewrap a team works there, and no other program gets one" let_in
  else
    echo "  skipped AppArmor takes the profile: that of this Debian is older than its language"
  fi
  drill "an ordinary user installs it too" eval "lingers && installed_by_ada"
  drill "their team is up" waits ada_up
  drill "their programs together are held to their memory" bounded as_ada ai-infra
  drill "the record is whole" chain
}

after() {
  drill "after a boot root's team is up" waits up
  drill "after a boot the user's team is up" waits ada_up
  drill "the record is whole after a boot" chain
  drill "installed again over a running team" eval "installed && waits up"
  drill "taken away, the data stays" removed
}

case "${1:-}" in
  before) before ;;
  after) after ;;
  *) echo "error: before or after a boot?" >&2 && exit 2 ;;
esac
exit "$failed"
