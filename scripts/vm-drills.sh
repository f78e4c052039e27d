#!/usr/bin/env bash
# A release, installed on a whole Debian or Ubuntu of its own with systemd, version 2 of control groups and AppArmor,
# where services are really restarted, processes really killed and the machine really boots again. What a
# container or a test cannot show. As root; needs some 3 GB below target/vm and 10 to 25 minutes.
#   scripts/vm-drills.sh [--binary FILE] [--suite bookworm|trixie|noble] [--control] [--keep]
# Prints a line a drill; exit code 1 says that one failed. With --control somebody else restarts the drilled
# service too, and the drills that count must say so: the exit code must be 1.
# --keep leaves the machine running and says how to get in.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# shellcheck source=scripts/requirements.sh
. "$root/scripts/requirements.sh"

binary="" suite=bookworm control=no keep=no
while [ $# -gt 0 ]; do
  case "$1" in
    --binary) binary=${2:?--binary needs a file} && shift ;;
    --suite) suite=${2:?--suite needs a name} && shift ;;
    --control) control=yes ;;
    --keep) keep=yes ;;
    -h | --help)
      sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      say "error: unknown argument: $1; see scripts/vm-drills.sh --help"
      exit 2
      ;;
  esac
  shift
done
case "$suite" in
  bookworm | trixie) system=Debian kernel=linux-image-amd64 ;;
  noble) system=Ubuntu kernel=linux-image-virtual,initramfs-tools ;;
  *)
    say "error: --suite is bookworm (Debian 12), trixie (Debian 13) or noble (Ubuntu 24.04)"
    exit 2
    ;;
esac
if [ "$(id -u)" -ne 0 ]; then
  say "error: the image of a machine is root's to make: sudo scripts/vm-drills.sh"
  exit 2
fi

need qemu-system-x86_64 qemu-system-x86
need mmdebstrap mmdebstrap
need mkfs.ext4 e2fsprogs
need ssh openssh-client
need curl curl
need gpg gpg
need python3 python3
install_missing
if [ -z "$binary" ]; then
  find_rust
  cargo build --release --locked -p cli
  binary=${CARGO_TARGET_DIR:-$root/target}/release/ai-infra
fi
[ -x "$binary" ] || { say "error: $binary is not a program"; exit 2; }

image=$root/target/vm/$suite
inside="$kernel,systemd-sysv,udev,dbus,dbus-user-session,libpam-systemd,openssh-server,iproute2,ifupdown,isc-dhcp-client,sudo"
inside="$inside,ca-certificates,procps,redis-server,tmux,bubblewrap,git,nginx-light,python3,make,apparmor,curl"

# What Ubuntu's archive is signed with: Debian does not ship it.
ubuntu_keys() {
  local installed=/usr/share/keyrings/ubuntu-archive-keyring.gpg from=https://archive.ubuntu.com/ubuntu/pool/main/u/ubuntu-keyring
  keys=$image/keys$installed
  if [ -e "$installed" ]; then
    keys=$installed
    return
  fi
  curl -fsSL -o "$image/keys.deb" "$from/ubuntu-keyring_2023.11.28.1_all.deb"
  echo "36de43b15853ccae0028e9a767613770c704833f82586f28eb262f0311adb8a8  $image/keys.deb" | sha256sum --check --quiet
  dpkg-deb -x "$image/keys.deb" "$image/keys"
}

make_image() {
  [ -e "$image/disk" ] && return
  say "making a machine with $system $suite below $image, once"
  rm -rf "$image" && mkdir -p "$image/root"
  local of=() keys
  if [ "$system" = Ubuntu ]; then
    ubuntu_keys
    of=(--keyring="$keys" --components=main,universe)
  fi
  mmdebstrap --quiet --variant=minbase "${of[@]}" --include="$inside" "$suite" "$image/root.tar"
  tar -C "$image/root" -xf "$image/root.tar"
  rm "$image/root.tar"
  cp "$image"/root/boot/vmlinuz-* "$image/kernel"
  cp "$image"/root/boot/initrd.img-* "$image/initrd"
  ssh-keygen -q -t ed25519 -N '' -f "$image/key"
  local there=$image/root
  printf '%s\n' 'auto lo' 'iface lo inet loopback' 'allow-hotplug ens3' 'iface ens3 inet dhcp' >"$there/etc/network/interfaces"
  echo '/dev/vda / ext4 defaults 0 1' >"$there/etc/fstab"
  echo "vm-$suite" >"$there/etc/hostname"
  chroot "$there" useradd --create-home --shell /bin/bash ada
  for home in root home/ada; do
    install -d -m 0700 "$there/$home/.ssh"
    install -m 0600 "$image/key.pub" "$there/$home/.ssh/authorized_keys"
  done
  chroot "$there" chown -R ada:ada /home/ada
  # Redis and nginx are the drills' to start.
  chroot "$there" systemctl --quiet disable redis-server nginx
  truncate -s 8G "$image/disk.new"
  mkfs.ext4 -q -d "$there" "$image/disk.new"
  rm -rf "$there"
  mv "$image/disk.new" "$image/disk"
}

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
there() {
  ssh -i "$image/key" -p "$port" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
    -o ConnectTimeout=20 "${who:-root}@127.0.0.1" "$@"
}
answers() {
  local until=$((SECONDS + $1))
  until there true 2>/dev/null; do
    [ "$SECONDS" -lt "$until" ] && kill -0 "$machine" 2>/dev/null || return 1
    sleep 2
  done
}

machine=""
end() {
  if [ -n "$machine" ]; then kill "$machine" 2>/dev/null || true; fi
}
trap end EXIT

# Nothing of it is written to the image. Where the processor lends itself to no machine, one is calculated.
start() {
  local how
  for how in "kvm -cpu host" "tcg,thread=multi,tb-size=512 -cpu max"; do
    # shellcheck disable=SC2086
    qemu-system-x86_64 -accel $how -m 3072 -smp 2 -snapshot -display none -serial "file:$image/console" \
      -kernel "$image/kernel" -initrd "$image/initrd" -append "root=/dev/vda rw console=ttyS0 security=apparmor" \
      -drive "file=$image/disk,format=raw,if=virtio" \
      -netdev "user,id=n,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net-pci,netdev=n >"$image/said" 2>&1 &
    machine=$!
    disown "$machine"
    if answers 240; then
      say "a machine with $system $suite is up (${how%% *})"
      return
    fi
    kill "$machine" 2>/dev/null || true
    machine=""
  done
  say "error: the machine does not come up; the end of its console:"
  tail -n 5 "$image/said" "$image/console" >&2 || true
  exit 2
}

make_image
start
tar -C "$root" -cf - scripts packaging | there 'mkdir -p /opt/ai-infra && tar -C /opt/ai-infra -xf -'
there 'cat >/opt/ai-infra/ai-infra && chmod 755 /opt/ai-infra/ai-infra' <"$binary"
failed=0
part() { there "control=$control bash /opt/ai-infra/scripts/vm-drills-inside.sh $1" || failed=1; }
part before
there 'systemctl reboot' 2>/dev/null || true
sleep 5
answers 400 || { say "error: the machine does not come back"; exit 1; }
part after
if [ "$keep" = yes ]; then
  say "it goes on: ssh -i $image/key -p $port root@127.0.0.1 (or ada@); end it: kill $machine"
  machine=""
fi
exit "$failed"
