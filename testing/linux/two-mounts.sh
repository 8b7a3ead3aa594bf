#!/bin/bash
# Two mounts of one share over connections of their own, as of two machines: data, names and locks of one are seen by the other.
. "$(dirname "$0")/mount.sh"
umount "$mnt"
mount_share /mnt/first nosharesock,actimeo=0
mount_share /mnt/second nosharesock,actimeo=0
[ "$(ss -Htn state established "dport = :$port" | wc -l)" -ge 2 ] || fail "one connection for both mounts"
python3 "$(dirname "$0")/two-mounts.py" /mnt/first /mnt/second || fail "see above"
umount /mnt/first /mnt/second
check_kernel_log
echo good
