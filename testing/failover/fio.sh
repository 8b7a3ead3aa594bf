#!/bin/bash
# fio.sh SHARE PORT USER PASSWORD OPTIONS SECONDS: three writers at once, each of which reads back and compares all it wrote, again and again
# until the time is over; and an application that writes beside them.
. "$(dirname "$0")/beside.sh"
passes=0
while [ "$SECONDS" -lt "$seconds" ]; do
  fio --directory="$mnt" --size=8m --ioengine=psync --verify=crc32c --verify_fatal=1 --do_verify=1 --group_reporting --minimal --fallocate=none \
    --name=sequential --rw=write --bs=64k --fsync=16 \
    --name=random --rw=randwrite --bs=4k --fsync=64 \
    --name=direct --rw=randwrite --bs=16k --direct=1 >/tmp/fio.out 2>&1 || { cat /tmp/fio.out; fail "fio, pass $passes"; }
  passes=$((passes + 1))
done
finish "$passes passes of fio, each wrote, read back and compared 24 MiB"
