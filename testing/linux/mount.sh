# Sourced by the jobs: mounts the share under test at $mnt, and checks that what was asked for is in force.
#   . mount.sh SHARE PORT USER PASSWORD [OPTIONS]
# HOST is the address of the machine that runs the server, as the guest sees it.
set -eu
share=$1 port=$2 user=$3 password=$4 options=${5:-vers=3.1.1}
mnt=/mnt/holdfast
mkdir -p "$mnt"
modprobe cifs 2>/dev/null || true
mount -t cifs "//$HOST/$share" "$mnt" -o "port=$port,username=$user,password=$password,uid=0,gid=0,$options"
case ",$options," in
*,seal,*) grep -q " $mnt cifs .*seal" /proc/mounts || { echo "seal is not in force"; exit 1; } ;;
esac
