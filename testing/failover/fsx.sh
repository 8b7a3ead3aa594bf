#!/bin/bash
# fsx.sh SHARE PORT USER PASSWORD OPTIONS SECONDS FSX: random operations on one file, another seed each time, until the time is over. What
# fails is told, and the next pass begins: how often, and by which operation, is what one wants to know. Without mapped writes: Linux 6.12
# loses some of them without any failure, and with Samba as well (seed 354355127, operation 662).
set -u
echo "kernel: $(uname -r)"
passes=0 failures=0
seed=$((RANDOM * 32768 + RANDOM))
while [ "$SECONDS" -lt "$6" ]; do
  # A pass that hangs is one that failed.
  timeout -s KILL 300 "$7" "$1" "$2" "$3" "$4" -n 1000 -s "$seed" -o "$5" --without collapse,insert,mapwrite >/tmp/fsx.out 2>&1 || {
    failures=$((failures + 1))
    echo "failure: fsx, seed $seed: $(grep -m 1 FAILED /tmp/fsx.out | cut -c 1-200); last: $(grep -E '^[0-9]+ [a-z]+ ' /tmp/fsx.out | tail -n 1)"
    umount -l /mnt/cifs-fsx-share 2>/dev/null
  }
  passes=$((passes + 1)) seed=$((seed + 1))
done
echo "done: $passes passes of fsx of 1000 operations, $failures failed"
[ "$failures" = 0 ]
