#!/bin/bash
# filesystem.sh CLOCK PORT USER PASSWORD FILESYSTEM [digests]: files on a volume, written and read back in all the ways there are; the
# volume grows meanwhile, and gets back what was deleted.
. "$(dirname "$0")/initiator.sh"
clock=$1 portal=$HOST:$2 user=$3 password=$4 filesystem=$5 digests=${6:-}
mnt=/mnt/holdfast
mkdir -p "$mnt"
modprobe "$filesystem"
start_initiator
portal_of disk0 "$portal"
chap_of disk0 "$portal" "$user" "$password"
[ -z "$digests" ] || with_both_digests disk0 "$portal"
log_in disk0 "$portal"
disk_of disk0

declare -A make=([ext4]="mkfs.ext4 -q -F" [xfs]="mkfs.xfs -q -f")
declare -A check=([ext4]="e2fsck -f -n" [xfs]="xfs_repair -n")
declare -A grow=([ext4]="resize2fs $disk" [xfs]="xfs_growfs $mnt")
step "${make[$filesystem]} $disk"
${make[$filesystem]} "$disk" || fail mkfs

# One job with pages of the cache and one without for each way; what each wrote is read back and compared at its end.
pass() {
  fio --directory="$mnt" --size=12m --verify=crc32c --verify_fatal=1 --do_verify=1 --verify_dump=1 --group_reporting --minimal --fallocate=none \
    --name=sequential --rw=write --bs=64k --ioengine=psync --fsync=16 \
    --name=random --rw=randwrite --bs=4k --ioengine=psync --fdatasync=64 \
    --name=direct --rw=write --bs=256k --ioengine=libaio --iodepth=4 --direct=1 \
    --name=deep --rw=randwrite --bsrange=4k-64k --ioengine=libaio --iodepth=32 --direct=1 \
    --name=durable --rw=randwrite --bs=8k --ioengine=psync --direct=1 --sync=1 --size=1m \
    --name=mapped --rw=randwrite --bs=4k --ioengine=mmap --size=4m --fsync=256 \
    >/tmp/fio.out 2>&1 || { cat /tmp/fio.out; fail "fio, pass $passes"; }
}
grow_online() {
  step "the volume grows to 2 GiB while it is mounted"
  ask resize disk0 2GiB
  is_larger() { echo 1 >"/sys/block/${disk#/dev/}/device/rescan" && [ "$(blockdev --getsize64 "$disk")" = 2147483648 ]; }
  until_true 60 is_larger || fail "$disk does not grow"
  ${grow[$filesystem]} >/dev/null || fail "the file system does not grow"
  [ "$(df --output=size -B1M "$mnt" | tail -n 1)" -gt 1800 ] || fail "$(df "$mnt")"
}

passes=0 has_grown=
options=(rw discard)
while [ "$(seconds_left)" -gt 0 ] || [ "$passes" -lt 2 ]; do
  mount -t "$filesystem" -o "${options[passes % 2]}" "$disk" "$mnt"
  pass
  [ -n "$has_grown" ] || { grow_online && has_grown=1; }
  sha256sum "$mnt"/*.?.0 >/tmp/sums
  umount "$mnt"
  blockdev --flushbufs "$disk"
  mount -t "$filesystem" -o "${options[passes % 2]}" "$disk" "$mnt"
  sha256sum --quiet -c /tmp/sums || fail "files differ after a remount, pass $passes"
  rm "$mnt"/*.?.0
  sync
  fstrim "$mnt" || fail fstrim
  umount "$mnt"
  ${check[$filesystem]} "$disk" >/tmp/check 2>&1 || { cat /tmp/check; fail "the file system has errors, pass $passes"; }
  passes=$((passes + 1))
  step "pass $passes"
done
ask usage disk0
log_out disk0
check_kernel_log
echo "done: $passes passes of fio on $filesystem, each wrote, read back and compared 53 MiB in 6 ways"
