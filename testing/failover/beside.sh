# Sourced by the jobs: mounts the share at $mnt and starts the application that writes and notices pauses (pauses.py).
#   . beside.sh SHARE PORT USER PASSWORD OPTIONS SECONDS
set -eu
. "$(dirname "${BASH_SOURCE[0]}")/../linux/mount.sh"
seconds=$6
echo "kernel: $(uname -r)"
# What the kernel negotiated, not what was asked for.
grep -q " $mnt cifs .*persistenthandles" /proc/mounts || fail "persistent handles are not in force"
python3 "$(dirname "${BASH_SOURCE[0]}")/pauses.py" "$mnt/records.$$" "$seconds" &
application=$!

# finish WHAT: the end of a job that went well so far.
finish() {
  wait "$application" || fail "the application that wrote beside"
  umount "$mnt"
  echo "done: $1"
}
