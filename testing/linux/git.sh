#!/bin/bash
# Clones a repository of this machine onto the share and has git check every object.
#   git.sh SHARE PORT USER PASSWORD OPTIONS REPOSITORY
. "$(dirname "$0")/mount.sh"
repository=$6
export HOME=/tmp GIT_CONFIG_NOSYSTEM=1
git config --global --add safe.directory '*'
rm -rf "$mnt/clone"
git clone --no-local --quiet "$repository" "$mnt/clone"
git -C "$mnt/clone" fsck --full --strict
[ -z "$(git -C "$mnt/clone" status --porcelain)" ] || { echo "the work tree differs from what was checked out"; exit 1; }
rm -rf "$mnt/clone"
umount "$mnt"
check_kernel_log
echo good
