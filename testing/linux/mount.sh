# Sourced by the jobs: mounts the share under test at $mnt, and checks that what was asked for is in force.
#   . mount.sh SHARE PORT USER PASSWORD [OPTIONS]
# HOST is the address of the machine that runs the server, as the guest sees it.
set -eu
share=$1 port=$2 user=$3 password=$4 options=${5:-vers=3.1.1}
mnt=/mnt/holdfast
modprobe cifs 2>/dev/null || true

# mount_share FOLDER [MORE-OPTIONS]
mount_share() {
  mkdir -p "$1"
  mount -t cifs "//$HOST/$share" "$1" -o "port=$port,username=$user,password=$password,uid=0,gid=0,$options${2:+,$2}"
}

fail() { echo "FAILED: $*"; dmesg | tail -n 20; exit 1; }

# What the kernel has to say of a server that is not as it should be.
check_kernel_log() {
  # What Linux 6.12 says to every server. "sign fail": it reads what is around unwritten data into one page, several times over, and then
  # finds the signature wrong. "unknown frame": a file open by two names has two leases, and it knows the second one's key only.
  # 127.0.0.1: all that the server listens on, as it truly says, and out of the guest's reach: there is no further channel then.
  if dmesg | grep -E 'CIFS: VFS' | grep -vE "sign fail cmd 0x8|SMB signature verification|unknown frame received" |
    grep -vE 'iface:127\.0\.0\.1|Error connecting to socket|too many channel open attempts'; then fail "the kernel complains"; fi
}

mount_share "$mnt"
case ",$options," in
*,seal,*) grep -q " $mnt cifs .*seal" /proc/mounts || { echo "seal is not in force"; exit 1; } ;;
esac
