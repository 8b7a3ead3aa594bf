# Sourced by the jobs: Linux' own initiator (open-iscsi), as an administrator sets it up.
# HOST is the address of the machine that runs the target, as the guest sees it; HOSTS the same through each of its interfaces.
set -eu
prefix=iqn.2026-11.io.holdfast
client=iqn.2026-11.io.holdfast.test

step() { echo "step: $*"; }
fail() { echo "FAILED: $*"; dmesg | tail -n 30; exit 1; }
# ask WORDS: has the machine that runs the target do something (see `answers` in testing/iscsi.ts), and does not wait for it.
ask() { echo "ask: $*"; }

# seconds_left: of what the job should go on for, by the clock of the machine that runs the target (at $clock): an emulated one's may run
# many times too fast, or too slow.
seconds_left() {
  local left
  read -r left <"/dev/tcp/$HOST/$clock"
  echo "$left"
}

# until_true SECONDS COMMAND...
until_true() {
  local limit=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$limit" ] || return 1
    sleep 0.2
  done
}

# start_initiator [NAME=VALUE]...: starts iscsid with nothing of what this machine has configured, and with these settings of iscsid.conf (5).
start_initiator() {
  rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets /etc/iscsi/ifaces /var/lib/iscsi
  echo "InitiatorName=$client:linux" >/etc/iscsi/initiatorname.iscsi
  {
    echo "node.startup = manual"
    echo "node.session.initial_login_retry_max = 2"
    echo "node.conn[0].timeo.login_timeout = 20"
    echo "node.conn[0].timeo.logout_timeout = 20"
    echo "node.conn[0].timeo.noop_out_interval = 5"
    echo "node.conn[0].timeo.noop_out_timeout = 5"
    echo "discovery.sendtargets.timeo.login_timeout = 20"
    echo "discovery.sendtargets.reopen_max = 2"
    for setting in "$@"; do echo "${setting%%=*} = ${setting#*=}"; done
  } >/etc/iscsi/iscsid.conf
  # There is no udev to load the driver of disks when one comes.
  modprobe -a iscsi_tcp sd_mod sg
  mkdir -p /run/lock/iscsi
  iscsid
}

# portal_of VOLUME PORTAL [INTERFACE]: a record for a target at a portal that discovery has not found, as it is behind the host's address.
# With its portal group, or a second interface would take the place of the first.
portal_of() { iscsiadm -m node -o new -T "$prefix:$1" -p "$2,1" ${3:+-I "$3"} >/dev/null; }
# set_of VOLUME PORTAL NAME VALUE: a setting of this record.
set_of() { iscsiadm -m node -T "$prefix:$1" -p "$2" -o update -n "$3" -v "$4"; }
log_in() { iscsiadm -m node -T "$prefix:$1" -p "$2" ${3:+-I "$3"} --login >/dev/null; }
log_out() { iscsiadm -m node -T "$prefix:$1" ${2:+-p "$2"} --logout >/dev/null; }
# chap_of VOLUME PORTAL USER PASSWORD
chap_of() {
  set_of "$1" "$2" node.session.auth.authmethod CHAP
  set_of "$1" "$2" node.session.auth.username "$3"
  set_of "$1" "$2" node.session.auth.password "$4"
}

# disk_names VOLUME [INITIATOR]: sda, ... of the sessions with this target, in the order of the sessions.
disk_names() {
  local session
  for session in $(ls -d /sys/class/iscsi_session/session* 2>/dev/null | sort -V); do
    [ "$(cat "$session/targetname")" = "$prefix:$1" ] || continue
    [ -z "${2:-}" ] || [ "$(cat "$session/initiatorname")" = "$2" ] || continue
    ls "$session"/device/target*/*/block 2>/dev/null || true
  done
}
has_disks() { [ "$(disk_names "$1" | wc -l)" -ge "$2" ]; }
has_size() { [ -b "$1" ] && [ "$(blockdev --getsize64 "$1" 2>/dev/null || echo 0)" -gt 0 ]; }
# disk_of VOLUME [INITIATOR]: sets $disk to the first of them, as soon as it can be used.
disk_of() {
  local volume=$1 initiator=${2:-}
  there() { [ -n "$(disk_names "$volume" "$initiator")" ]; }
  until_true 30 there || fail "no disk of $volume has come"
  disk=/dev/$(disk_names "$volume" "$initiator" | head -n 1)
  until_true 30 has_size "$disk" || fail "$disk of $volume has no size"
}

# check_kernel_log [BUT]: what the kernel has to say of a disk that is not as it should be. A connection that fails with "Login/Text in progress"
# has sent its next login request before the kernel had put away the answer to the last one: Linux' race with itself, it logs in again.
check_kernel_log() {
  if dmesg | awk '/Login\/Text in progress/ { own = 1 } /detected conn error/ && own { own = 0; next } { print }' |
    grep -E 'I/O error|critical .* error|Sense Key|FAILED Result|EXT4-fs (error|warning)|XFS.*(error|corrupt|shutdown)|detected conn error' |
    grep -vE "${1:-no such line}"; then fail "the kernel complains"; fi
}

# with_both_digests VOLUME PORTAL
with_both_digests() {
  set_of "$1" "$2" 'node.conn[0].iscsi.HeaderDigest' CRC32C
  set_of "$1" "$2" 'node.conn[0].iscsi.DataDigest' CRC32C
}

# add_second_initiator: an interface `second` under a name of its own, $client:second, as another machine has one.
add_second_initiator() {
  iscsiadm -m iface -I second -o new >/dev/null
  iscsiadm -m iface -I second -o update -n iface.transport_name -v tcp >/dev/null
  iscsiadm -m iface -I second -o update -n iface.initiatorname -v "$client:second" >/dev/null
}
