#!/bin/bash
# multipath.sh CLOCK PORT-A PORT-B USER PASSWORD: a disk by two ways (dm-multipath), of which one fails again and again under load.
# There is no udev to tell multipathd of disks: the map is made by hand, and what multipathd does for it (a path that answers again is used
# again) is done here.
. "$(dirname "$0")/initiator.sh"
read -r -a hosts <<<"$HOSTS"
clock=$1 portals=("${hosts[0]}:$2" "${hosts[1]:-${hosts[0]}}:$3") user=$4 password=$5
# A path that says nothing for 4 s is left, and one that is not back after 5 s has failed.
start_initiator node.session.timeo.replacement_timeout=5 "node.conn[0].timeo.noop_out_interval=2" "node.conn[0].timeo.noop_out_timeout=2" \
  "node.conn[0].timeo.login_timeout=5"
modprobe -a dm-multipath dm-round-robin
for portal in "${portals[@]}"; do
  portal_of disk0 "$portal"
  chap_of disk0 "$portal" "$user" "$password"
  log_in disk0 "$portal"
done
until_true 30 has_disks disk0 2 || fail "two disks are expected"
mapfile -t names < <(disk_names disk0)
for name in "${names[@]}"; do until_true 30 has_size "/dev/$name" || fail "$name has no size"; done
serials=$(for name in "${names[@]}"; do sg_vpd -p di -q "/dev/$name" | grep -A1 NAA | tail -n 1; done | sort -u)
[ "$(wc -l <<<"$serials")" = 1 ] || fail "the two are not one unit: $serials"

numbers=() && for name in "${names[@]}"; do numbers+=("$(cat "/sys/block/$name/dev")"); done
sectors=$(blockdev --getsz "/dev/${names[0]}")
a=${numbers[0]} b=${numbers[1]}
# Nothing waits for a path to come back: an error on the last path reaches the application.
declare -A tables=(
  [round-robin]="0 $sectors multipath 0 0 1 1 round-robin 0 2 1 $a 1 $b 1"
  [failover]="0 $sectors multipath 0 0 2 1 round-robin 0 1 1 $a 1 round-robin 0 1 1 $b 1"
)
map=/dev/mapper/holdfast
path_is_active() { dmsetup status holdfast | grep -q " $1 A "; }
# What multipathd's checker does: a disk that answers is used again.
takes_part() {
  path_is_active "${numbers[$1]}" && [ "$(cat "/sys/block/${names[$1]}/device/state")" = running ] && return 0
  sg_turs "/dev/${names[$1]}" >/dev/null 2>&1 && dmsetup message holdfast 0 reinstate_path "${numbers[$1]}" 2>/dev/null
  return 1
}

load() {
  while [ ! -e /tmp/over ]; do
    fio --filename="$map" --verify=crc32c --verify_fatal=1 --do_verify=1 --group_reporting --minimal --direct=1 --ioengine=libaio \
      --name=sequential --rw=write --bs=128k --iodepth=4 --size=16m --offset=0 \
      --name=random --rw=randwrite --bs=4k --iodepth=16 --size=4m --offset=64m \
      --name=mixed --rw=randrw --bs=8k --iodepth=8 --size=4m --offset=128m \
      --name=durable --rw=randwrite --bs=4k --iodepth=1 --size=512k --offset=192m --fsync=8 >/tmp/fio.out 2>&1 || { cat /tmp/fio.out; return 1; }
    echo pass >>/tmp/passes
  done
}

# run KIND UNTIL-SECONDS-LEFT
run() {
  local kind=$1 until=$2 path=0 trouble
  dmsetup create --noudevsync holdfast --table "${tables[$kind]}" || fail "dmsetup, $kind"
  dmsetup mknodes holdfast
  rm -f /tmp/over
  load &
  local pid=$!
  while [ "$(seconds_left)" -gt "$until" ] && kill -0 "$pid" 2>/dev/null; do
    trouble=$([ $((breaks / 2 % 2)) = 0 ] && echo cut || echo silent)
    ask break "$path" "$trouble"
    # Longer than the time after which a path has failed, or so short that its session comes back by itself.
    sleep $((breaks / 4 % 2 == 0 ? 15 : 3))
    ask mend "$path"
    until_true 90 takes_part "$path" || fail "path $path does not come back: $(dmsetup status holdfast)"
    breaks=$((breaks + 1))
    path=$((1 - path))
    step "$kind: path failed and came back, $breaks: $(dmsetup status holdfast | tr -s ' ')"
    sleep 2
  done
  touch /tmp/over
  wait "$pid" || fail "fio had an error, $kind"
  dmsetup remove --noudevsync holdfast
}
breaks=0
: >/tmp/passes
run round-robin $(($(seconds_left) / 2))
run failover 0
[ "$breaks" -ge 2 ] || fail "no path was broken"
if dmesg | grep -E 'I/O error, dev dm-|Buffer I/O error on dev dm-'; then fail "an error came through"; fi
failed=$(dmesg | grep -c 'device-mapper: multipath: .*Failing path' || true)
log_out disk0
echo "done: $breaks times a path was taken away, $failed paths failed over, $(wc -l </tmp/passes) passes of fio, no I/O error"
