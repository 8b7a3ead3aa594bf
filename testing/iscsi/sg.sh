#!/bin/bash
# sg.sh PORT USER PASSWORD: sg3-utils, the tools that people look at disks with, say of a volume what they say of a disk.
. "$(dirname "$0")/initiator.sh"
portal=$HOST:$1 user=$2 password=$3
start_initiator
add_second_initiator
for volume in disk0 disk1; do
  portal_of "$volume" "$portal"
  chap_of "$volume" "$portal" "$user" "$password"
  log_in "$volume" "$portal" default
done
portal_of disk0 "$portal" second
chap_of disk0 "$portal" "$user" "$password"
log_in disk0 "$portal" second
disk_of disk1 && other=$disk
disk_of disk0 "$client:second" && by_second=$disk
disk_of disk0 "$client:linux"
mkdir -p /run/sg && cd /run/sg
# sg_xcopy looks for a disk by its number, where udev would have put it.
mkdir -p /dev/block
for one in "$disk" "$by_second" "$other"; do ln -sf "$one" "/dev/block/$(cat "/sys/block/${one#/dev/}/dev")"; done
head -c 8192 /dev/urandom >random
head -c 512 random >one && tail -c 512 random >two && cat one two >one-two
head -c 4096 random >eight && tail -c 4096 random >eight-more && cat eight eight-more >sixteen

# says STATUS PATTERN COMMAND...: the command ends with this status, and says this.
checks=0
says() {
  local want=$1 pattern=$2 status=0
  shift 2
  "$@" >said 2>&1 || status=$?
  checks=$((checks + 1))
  [ "$status" = "$want" ] || { cat said; fail "$*: status $status instead of $want"; }
  [ -z "$pattern" ] || grep -qE -- "$pattern" said || { cat said; fail "$*: does not say /$pattern/"; }
}
also() {
  local pattern
  for pattern in "$@"; do
    checks=$((checks + 1))
    grep -qE -- "$pattern" said || { cat said; fail "does not say /$pattern/"; }
  done
}
never() { ! grep -qE -- "$1" said || { cat said; fail "says /$1/"; }; }
blocks() { dd if="$disk" bs=512 skip="$1" count="$2" iflag=direct status=none; }
holds() { checks=$((checks + 1)); blocks "$1" "$2" | cmp - "$3" || fail "blocks $1 to $(($1 + $2)) are not $3"; }
put() { dd if="$2" of="$disk" bs=512 seek="$1" oflag=direct status=none; }
# Statuses of sg3-utils (sg3_utils (8)).
illegal=5 attention=6 invalid_opcode=9 aborted=10 miscompare=14 out_of_range=22 conflict=24
# What the disk has to tell first is out of the way.
sg_turs "$disk" >/dev/null 2>&1 || true
sg_turs "$by_second" >/dev/null 2>&1 || true

step "INQUIRY and vital product data"
says 0 'Vendor identification: HOLDFAST' sg_inq "$disk"
also 'Product identification: VOLUME' 'PDT=0 ' 'version=0x0[67]' 'CmdQue=1' 'TPGS=1' '3PC=1' 'Unit serial number: [0-9a-f]+$'
says 0 'Logical block provisioning' sg_vpd -a "$disk"
never 'unable to decode|too short|malformed|bad |truncated|Only hex output|[Ii]nvalid'
declare -A pages=([sv]='Block limits' [sn]='Unit serial number: [0-9a-f]+' [di]='designator type: NAA' [ei]='SIMPSUP=1' [mpp]='Policy: ' [sp]='Relative port=1'
  [tpc]='Extended copy\(LID1\)' [bl]='Maximum unmap LBA count: [1-9]' [bdc]='Non-rotating medium' [lbpv]='Provisioning type: 2 ')
for page in "${!pages[@]}"; do
  says 0 "${pages[$page]}" sg_vpd -p "$page" "$disk"
  never 'unable to decode|too short|malformed|bad '
done
mapfile -t listed < <(sg_vpd -r -p sv "$disk" | tail -c +5 | od -An -v -t x1 | tr -s ' ' '\n' | grep .)
[ "${#listed[@]}" -ge 10 ] || fail "sg_vpd lists too few pages: ${listed[*]}"
for page in "${listed[@]}"; do
  says 0 . sg_inq --vpd --page="0x$page" "$disk"
  says 0 '' sg_vpd -r -p "0x$page" "$disk"
done
says $illegal 'Invalid field in cdb' sg_raw -r 252 "$disk" 12 01 c7 00 fc 00
says 0 'LU is the same|NAA' sg_vpd -p di "$by_second"

step "capacity, LUNs, commands"
says 0 'Last LBA=2097151 ' sg_readcap -16 "$disk"
also 'lbpme=1, lbprz=1' 'Logical block length=512 bytes' 'physical block length=4096 bytes' 'Device size: 1073741824 bytes'
says 0 'Number of logical blocks=2097152' sg_readcap "$disk"
says 0 '1 lun entry' sg_luns "$disk"
says 0 'Compare and write' sg_opcodes "$disk"
also 'Unmap' 'Write atomic\(16\)' 'Get LBA status\(16\)' 'Extended copy\(LID1\)' 'Sanitize, overwrite' 'Report target port groups' 'Orwrite\(16\)'
never 'Unknown|Opcode=0x'
says 0 'Usage data: 89 ' sg_opcodes -o 0x89 "$disk"
says 0 'NOT supported' sg_opcodes -o 0xee "$disk"
says 0 'Abort task' sg_opcodes --tmf "$disk"
also 'Logical unit reset'
says $invalid_opcode 'Invalid command operation code' sg_raw "$disk" c1 00 00 00 00 00
says $illegal 'Error in Command: byte 1 bit 5' sg_raw -r 512 "$disk" 28 20 00 00 00 00 00 00 01 00
says $out_of_range 'address out of range' sg_raw -r 512 "$disk" 28 00 ff ff ff ff 00 00 01 00
says 0 . sg_turs "$disk" -v
says 0 'No Sense' sg_requests "$disk"
says 0 'Descriptor format' sg_requests -d "$disk"

step "target port groups"
says 0 'asymmetric access state : 0x00 \(active/optimized\)' sg_rtpg -d "$disk"
also 'target port group id : 0x1 ' 'AO_SUP : 1' 'Relative target port ids' '^ +0x01$'
says 0 'Implicit transition time' sg_rtpg -e -d "$disk"

step "mode and log pages"
says 0 'DpoFua=1' sg_modes -a "$disk"
also 'Caching' 'Control' 'Informational exceptions' 'WP=0'
says 0 'Caching' sg_modes -6 -p 8 "$disk"
says 0 '' sg_wr_mode -p 8 -c 08,12,10,0,ff,ff,0,0,ff,ff,ff,ff,0,0,0,0,0,0,0,0 "$disk"
says 0 '88 12 10' sg_modes -p 8 "$disk"
says $attention 'Mode parameters changed' sg_turs -v "$by_second"
says 0 '' sg_wr_mode -p 8 -c 08,12,14,0,ff,ff,0,0,ff,ff,ff,ff,0,0,0,0,0,0,0,0 "$disk"
sg_turs "$by_second" >/dev/null 2>&1 || true
says 0 'Logical block provisioning' sg_logs -a "$disk"
also 'Used LBA mapping threshold resource count: [0-9]' 'Informational Exceptions'
says 0 '' sg_sync "$disk"
says 0 '' sg_sync --16 --lba=0 --count=100 "$disk"
says 0 'GOOD' sg_senddiag -t "$disk"
says 0 '' sg_start --start "$disk"

step "persistent reservations of two initiators"
p() { sg_persist -n "$@"; }
# Whoever has something to hear hears it once.
hears() { says $attention "$2" p -k "$1"; }
says 0 'Persist Through Power Loss Capable\(PTPL_C\): 1' p -c "$disk"
says 0 'NO registered' p -k "$disk"
says 0 'NO reservation' p -r "$disk"
says 0 '' p -o -G -S 0xa1 "$disk"
says 0 '' p -o -G -S 0xb1 "$by_second"
says $conflict 'Reservation conflict' p -o -G -K 0xa2 -S 0xa3 "$disk"
says 0 '2 registered' p -k "$disk"
also '0xa1$' '0xb1$'
for type in 1 3 5 6 7 8; do
  says 0 '' p -o -R -K 0xa1 -T "$type" "$disk"
  says 0 'Reservation follows' p -r "$by_second"
  says $conflict 'Reservation conflict' p -o -R -K 0xb1 -T 3 "$by_second"
  case $type in
  1 | 3) says $conflict '' sg_write_same -l 0 -n 1 -i one -x 512 "$by_second" ;;
  *) says 0 '' sg_write_same -l 0 -n 1 -i one -x 512 "$by_second" ;;
  esac
  says 0 '' p -o -L -K 0xa1 -T "$type" "$disk"
  case $type in
  1 | 3) ;;
  *) hears "$by_second" 'Reservations released' ;;
  esac
done
says 0 '' p -o -R -K 0xa1 -T 5 "$disk"
says 0 'Reservation holder' p -s "$by_second"
also "$client:linux,i,0x" "$client:second,i,0x" 'type: Write Exclusive, registrants only' 'not reservation holder'
says 0 '' p -o -P -K 0xb1 -S 0xa1 -T 5 "$by_second"
hears "$disk" 'Registrations preempted'
says 0 'Key=0xb1' p -r "$disk"
says $conflict '' sg_write_same -l 0 -n 1 -i one -x 512 "$disk"
says 0 '' p -o -G -S 0xa4 "$disk"
says 0 '' p -o -A -K 0xa4 -S 0xb1 -T 3 "$disk"
hears "$by_second" 'Registrations preempted'
says 0 'Exclusive Access' p -r "$disk"
says $conflict '' sg_raw -r 512 "$by_second" 28 00 00 00 00 00 00 00 01 00
says 0 '' p -o -I -S 0xb2 "$by_second"
says 0 '' p -o -C -K 0xb2 "$by_second"
hears "$disk" 'Reservations preempted'
says 0 'NO registered' p -k "$disk"
says 0 '' p -o -G -Z -S 0xa5 "$disk"
says 0 'PTPL_A\): 1' p -c "$disk"
says 0 '' p -o -G -K 0xa5 -S 0 "$disk"
says 0 'NO registered' p -k "$disk"
says 0 '' sg_raw "$disk" 16 00 00 00 00 00
says $conflict '' sg_raw -r 512 "$by_second" 28 00 00 00 00 00 00 00 01 00
says 0 '' sg_raw "$disk" 17 00 00 00 00 00

step "compare and write"
put 100 one
says 0 '' sg_compare_and_write --in=one-two --lba=100 --num=1 "$disk"
holds 100 1 two
says $miscompare 'Miscompare' sg_compare_and_write --in=one-two --lba=100 --num=1 "$disk"
holds 100 1 two
put 200 eight
says 0 '' sg_compare_and_write --in=sixteen --lba=200 --num=8 "$disk"
holds 200 8 eight-more

step "unmap, LBA status, write same"
says 0 '' sg_unmap -l 0 -n 2048 -f "$disk"
says 0 'blocks: +[0-9]+ +deallocated' sg_get_lba_status -l 0 -m 8192 "$disk"
put 512 eight
says 0 '0x0000000000000000  blocks: +512 +deallocated' sg_get_lba_status -l 0 -m 8192 "$disk"
also '0x0000000000000200  blocks: +8 +mapped' '0x0000000000000208  blocks: +[0-9]+ +deallocated'
says 0 'deallocated' sg_get_lba_status -S -l 0 -m 8192 "$disk"
truncate -s 4096 zeros
says 0 '' sg_unmap -l 512 -n 8 -f "$disk"
holds 512 8 zeros
for form in -S -R; do
  says 0 '' sg_write_same $form -l 1000 -n 100 -i one -x 512 "$disk"
  holds 1000 1 one
  holds 1099 1 one
  says 0 '' sg_write_same -U -l 1000 -n 104 "$disk"
  blocks 1000 100 | tr -d '\0' | cmp - /dev/null || fail "WRITE SAME with UNMAP leaves data"
done
says 0 '' sg_write_same -N -l 1000 -n 104 "$disk"

step "verify, or, atomic writes"
says 0 '' sg_write_verify -l 2000 -n 8 -i eight "$disk"
says 0 '' sg_verify -l 2000 -c 8 -n 4096 -i eight "$disk"
says $miscompare 'MISCOMPARE' sg_verify -l 2000 -c 8 -n 4096 -i eight-more "$disk"
says 0 '' sg_verify -S -l 0 -c 2048 "$disk"
says $out_of_range '' sg_verify -l 0x200000 -c 1 "$disk"
says 0 '' sg_write_x --atomic=0 -l 3000 -n 8 --in=eight "$disk"
holds 3000 8 eight
says 0 '' sg_write_x --or -l 3000 -n 8 --in=eight-more "$disk"
python3 -c 'import sys; a, b = (open(n, "rb").read() for n in sys.argv[1:]); sys.stdout.buffer.write(bytes(x | y for x, y in zip(a, b)))' eight eight-more >either
holds 3000 8 either
put 3008 eight
holds 3008 8 eight
says 0 '8\+0 records' sg_dd if="$disk" of=out bs=512 skip=3008 count=8 iflag=sgio,fua
cmp out eight || fail "sg_dd reads something else"

step "extended copy"
head -c 4194304 /dev/urandom >source
put 0 source
says 0 'Copy from block device to block device' sg_copy_results -p "$disk"
says 0 '8192 blocks' sg_xcopy if="$disk" of="$disk" bs=512 count=8192 seek=1000000
holds 1000000 8192 source
says 0 '8192 blocks' sg_xcopy if="$disk" of="$other" bs=512 count=8192
dd if="$other" bs=1M count=4 iflag=direct status=none | cmp - source || fail "what was copied to another volume differs"
says 0 '8192 blocks' sg_xcopy if="$other" of="$disk" bs=512 count=8192 seek=1500000
holds 1500000 8192 source

step "sanitize, format"
says 0 '' sg_sanitize --overwrite --pattern=one --ipl=512 -Q -w "$disk"
holds 12345 1 one
says 0 '' sg_sanitize -B -Q -w "$disk"
blocks 0 2048 | tr -d '\0' | cmp - /dev/null || fail "SANITIZE BLOCK ERASE leaves data"
put 0 one
says 0 'FORMAT UNIT Complete' sg_format -F -Q -s 512 "$disk"
blocks 0 8 | tr -d '\0' | cmp - /dev/null || fail "FORMAT UNIT leaves data"

step "reset"
says 0 '' sg_reset -d "$disk"
says 0 '' sg_reset -t "$disk"
until_true 30 sg_turs "$disk" 2>/dev/null || fail "the disk is gone after a reset"
log_out disk0 && log_out disk1
echo "done: $checks answers are as they should be"
