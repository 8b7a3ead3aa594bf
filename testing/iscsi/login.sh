#!/bin/bash
# login.sh PORT USER PASSWORD TARGET-USER TARGET-PASSWORD: who gets in, and what is agreed upon.
. "$(dirname "$0")/initiator.sh"
port=$1 user=$2 password=$3 own_user=$4 own_password=$5
portal=$HOST:$port
start_initiator node.session.initial_login_retry_max=1

step "discovery tells both volumes"
found=$(iscsiadm -m discovery -t sendtargets -p "$portal") || fail discovery
for volume in disk0 open; do grep -q ":$port,1 $prefix:$volume\$" <<<"$found" || fail "$volume is not told: $found"; done
step "discovery with CHAP"
cat >>/etc/iscsi/iscsid.conf <<END
discovery.sendtargets.auth.authmethod = CHAP
discovery.sendtargets.auth.username = $user
discovery.sendtargets.auth.password = $password
END
iscsiadm -m discovery -t sendtargets -p "$portal" >/dev/null || fail "discovery with CHAP"
sed -i 's/^discovery.sendtargets.auth.password.*/discovery.sendtargets.auth.password = not-the-secret-0/' /etc/iscsi/iscsid.conf
iscsiadm -m discovery -t sendtargets -p "$portal" >/dev/null 2>&1 && fail "discovery with a wrong secret"
iscsiadm -m node -o delete >/dev/null

portal_of disk0 "$portal"
portal_of open "$portal"
portal_of nowhere "$portal"
# refused VOLUME STATUS WHAT: open-iscsi's status is 24 where the target does not believe who comes, 19 where it is something else.
refused() {
  local status=0
  iscsiadm -m node -T "$prefix:$1" -p "$portal" --login >/tmp/refused 2>&1 || status=$?
  [ "$status" = "$2" ] || { cat /tmp/refused; fail "$3: status $status instead of $2"; }
}
step "refusals"
refused disk0 24 "without CHAP"
chap_of disk0 "$portal" "$user" not-the-secret-0
refused disk0 24 "a wrong secret"
chap_of disk0 "$portal" nobody-known "$password"
refused disk0 24 "an unknown user"
refused nowhere 19 "a target that there is not"

# passes VOLUME DIGEST: logs in, writes, reads back, logs out.
head -c 1000000 /dev/urandom >/tmp/source
truncate -s 1048576 /tmp/source
passes() {
  local digest=$2
  log_in "$1" "$portal" || fail "login to $1"
  disk_of "$1"
  iscsiadm -m session -P 2 >/tmp/session
  for kind in Header Data; do grep -q "${kind}Digest: $digest" /tmp/session || { cat /tmp/session; fail "${kind}Digest is not $digest"; }; done
  dd if=/tmp/source of="$disk" bs=64k oflag=direct conv=fsync status=none
  blockdev --flushbufs "$disk"
  dd if="$disk" bs=64k count=16 iflag=direct status=none | cmp - /tmp/source || fail "$1 differs"
  log_out "$1" || fail "logout from $1"
}
step "no authentication where the volume says so"
passes open None
step CHAP
chap_of disk0 "$portal" "$user" "$password"
passes disk0 None
for algorithm in MD5 SHA1 SHA256 SHA3-256; do
  step "CHAP with $algorithm"
  set_of disk0 "$portal" node.session.auth.chap_algs "$algorithm" || fail "this initiator knows no $algorithm"
  passes disk0 None
done
step "mutual CHAP"
set_of disk0 "$portal" node.session.auth.username_in "$own_user"
set_of disk0 "$portal" node.session.auth.password_in "$own_password"
passes disk0 None
step "mutual CHAP: a target that is not the one it should be"
set_of disk0 "$portal" node.session.auth.password_in not-the-secret-0
refused disk0 19 "a wrong secret of the target"
set_of disk0 "$portal" node.session.auth.password_in "$own_password"
step "digests"
with_both_digests disk0 "$portal"
passes disk0 CRC32C
set_of disk0 "$portal" 'node.conn[0].iscsi.HeaderDigest' CRC32C,None
set_of disk0 "$portal" 'node.conn[0].iscsi.DataDigest' None,CRC32C
log_in disk0 "$portal"
iscsiadm -m session -P 2 | grep -A1 HeaderDigest | tr -d '\n\t' | grep -q 'HeaderDigest: CRC32CDataDigest: None' || fail "the initiator's preference is not kept"
log_out disk0
step "no immediate data, R2T first, small bursts"
set_of disk0 "$portal" node.session.iscsi.ImmediateData No
set_of disk0 "$portal" node.session.iscsi.InitialR2T Yes
set_of disk0 "$portal" node.session.iscsi.MaxBurstLength 16384
set_of disk0 "$portal" node.session.iscsi.FirstBurstLength 8192
set_of disk0 "$portal" 'node.conn[0].iscsi.MaxRecvDataSegmentLength' 4096
set_of disk0 "$portal" 'node.conn[0].iscsi.HeaderDigest' None
passes disk0 None
! iscsiadm -m session 2>/dev/null || fail "a session is left"
check_kernel_log 'detected conn error \(1020\)' # a login that was refused
echo "done: CHAP, mutual CHAP, digests, discovery"
