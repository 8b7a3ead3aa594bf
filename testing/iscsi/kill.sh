#!/bin/bash
# kill.sh CLOCK PORT USER PASSWORD: the target is killed with -9 again and again. What it has acknowledged is there after it, and so are
# the reservations that should be.
. "$(dirname "$0")/initiator.sh"
clock=$1 portal=$HOST:$2 user=$3 password=$4
start_initiator
add_second_initiator
for volume in disk0 disk1; do
  portal_of "$volume" "$portal"
  portal_of "$volume" "$portal" second
  chap_of "$volume" "$portal" "$user" "$password"
  log_in "$volume" "$portal" default
  log_in "$volume" "$portal" second
done
disk_of disk0 "$client:linux" && kept=$disk
disk_of disk0 "$client:second" && kept_by_second=$disk
disk_of disk1 "$client:linux" && lost=$disk
disk_of disk1 "$client:second" && lost_by_second=$disk

# persist DISK WORDS...: asks again where the first answer is that something has happened (a unit attention, status 6).
persist() {
  local disk=$1 tries=0 status
  shift
  while true; do
    status=0
    sg_persist -n "$@" "$disk" >/tmp/persist 2>&1 || status=$?
    [ "$status" = 6 ] && [ "$tries" -lt 4 ] || break
    tries=$((tries + 1))
  done
  cat /tmp/persist
  return "$status"
}
# writes DISK: 0 when the last block can be written
writes() { sg_dd if=/dev/zero of="$1" bs=512 seek=2000000 count=1 oflag=sgio retries=3 >/dev/null 2>&1; }
is_there() { until_true 90 sg_turs "$1" >/dev/null 2>&1 || fail "$1 does not come back"; }

step "reservations: one that is kept through power loss, one that is not"
persist "$kept" -o -G -S 0xa1 -Z || fail "register with APTPL"
persist "$kept" -o -R -K 0xa1 -T 5 || fail reserve
persist "$lost" -o -G -S 0xb1 || fail "register without APTPL"
persist "$lost" -o -R -K 0xb1 -T 5 || fail reserve
! writes "$kept_by_second" && ! writes "$lost_by_second" || fail "the second initiator writes in spite of a reservation"
check_reservations() {
  local disk
  for disk in "$kept" "$kept_by_second" "$lost" "$lost_by_second"; do is_there "$disk"; done
  persist "$kept" -k | grep -q '0xa1$' || fail "the registration with APTPL is lost: $(cat /tmp/persist)"
  persist "$kept" -r | grep -A3 0xa1 | grep -q 'Write Exclusive, registrants only' || fail "the reservation with APTPL is lost: $(cat /tmp/persist)"
  ! writes "$kept_by_second" || fail "the reservation is not kept to"
  persist "$lost" -k | grep -q 'NO registered' || fail "a registration without APTPL is still there: $(cat /tmp/persist)"
  persist "$lost" -r | grep -q 'NO reservation' || fail "a reservation without APTPL is still there: $(cat /tmp/persist)"
  writes "$lost_by_second" || fail "something still keeps the second initiator from writing"
}

step "fio while the target is killed"
load() {
  while [ ! -e /tmp/over ]; do
    fio --filename="$kept" --verify=crc32c --verify_fatal=1 --do_verify=1 --group_reporting --minimal \
      --name=sequential --rw=write --bs=64k --size=8m --offset=0 --ioengine=psync --fsync=16 \
      --name=random --rw=randwrite --bs=4k --size=4m --offset=64m --ioengine=libaio --iodepth=16 --direct=1 --fsync=64 \
      --name=durable --rw=randwrite --bs=4k --size=1m --offset=128m --ioengine=psync --direct=1 --sync=1 >/tmp/fio.out 2>&1 || { cat /tmp/fio.out; return 1; }
    echo pass >>/tmp/passes
  done
}
: >/tmp/passes
load &
pid=$!
kills=0
while [ "$(seconds_left)" -gt 0 ] || [ "$kills" -lt 2 ]; do
  sleep 7
  ask kill
  ask start
  kills=$((kills + 1))
  sleep 3
  check_reservations
  kill -0 "$pid" 2>/dev/null || break
  step "killed $kills times, $(wc -l </tmp/passes) passes of fio"
done
touch /tmp/over
wait "$pid" || fail "fio had an error"
check_kernel_log 'detected conn error|reservation conflict|FAILED Result'

step "fio that dies with the target, and looks for what was acknowledged"
# A session that begins anew is another one to a reservation.
persist "$kept" -o -C -K 0xa1 || fail "clear"
log_out disk0 && log_out disk1
set_of disk0 "$portal" node.session.timeo.replacement_timeout 2
# fio's state says what it had written up to the end; that includes the last ones, for which it was told an error.
offsets() { grep -oE "$1.*offset=[0-9]+" "$2" | grep -oE 'offset=[0-9]+' | sort -u; }
losses=0 found=0
cd /tmp
while [ "$losses" -lt 3 ]; do
  until_true 60 log_in disk0 "$portal" default || fail "no login after a restart"
  disk_of disk0 "$client:linux"
  written() { [ "$(awk '{ print $5 }' "/sys/block/${disk#/dev/}/stat")" -gt 2000 ]; }
  job=(--filename="$disk" --verify=crc32c --size=256m --offset=256m --name=acknowledged --rw=randwrite --bs=4k --ioengine=libaio --iodepth=8
    --direct=1 --fsync=32 --randseed="$((losses + 7))" --allrandrepeat=1)
  rm -f ./*.state
  # Nothing of an earlier round may be taken for what this one writes.
  blkdiscard -o 256m -l 256m "$disk" || fail "the disk cannot be emptied"
  fio "${job[@]}" --do_verify=0 --verify_state_save=1 >/tmp/fio.out 2>&1 &
  pid=$!
  until_true 120 written || fail "fio does not get on"
  ask kill
  ! wait "$pid" || fail "fio did not notice that the target was killed"
  ls ./*.state >/dev/null || { cat /tmp/fio.out; fail "fio has left no state"; }
  log_out disk0 || true
  ask start
  until_true 60 log_in disk0 "$portal" default || fail "no login after a restart"
  disk_of disk0 "$client:linux"
  fio "${job[@]}" --verify_only=1 --verify_state_load=1 --continue_on_error=verify --output-format=json --output=/tmp/fio.json >/tmp/verify.out 2>&1 || true
  missing=$(comm -13 <(offsets 'io_u error' /tmp/fio.out) <(cat /tmp/verify.out /tmp/fio.json | offsets 'verify: bad' /dev/stdin))
  [ -z "$missing" ] || { cat /tmp/fio.out /tmp/verify.out; fail "what was acknowledged is missing: $missing"; }
  read=$(grep -A3 '"read"' /tmp/fio.json | grep io_kbytes | tr -dc 0-9)
  [ "$read" -gt 4000 ] || { cat /tmp/fio.json; fail "next to nothing was verified: $read KiB"; }
  losses=$((losses + 1)) found=$((found + read / 4))
  step "all of $((read / 4)) writes are there but those that fio was told an error for: $(offsets 'io_u error' /tmp/fio.out | wc -l)"
  log_out disk0
done
echo "done: $kills times killed under fio, which made $(wc -l </tmp/passes) passes without an error; $losses times killed together with fio, and $found acknowledged writes found"
