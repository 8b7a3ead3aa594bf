#!/bin/bash
# Unpacks a tar of 5,000 small files on the share and compares them with the originals.
. "$(dirname "$0")/mount.sh"
mkdir -p /tmp/tree
for folder in $(seq 50); do
  mkdir -p "/tmp/tree/folder-$folder"
  for file in $(seq 100); do head -c $(((folder * file * 37) % 9000)) /dev/urandom >"/tmp/tree/folder-$folder/file-$file"; done
done
tar -C /tmp -cf /tmp/tree.tar tree
rm -rf "$mnt/tree"
tar -C "$mnt" --no-same-owner --no-same-permissions -xf /tmp/tree.tar
umount "$mnt"
. "$(dirname "$0")/mount.sh"
diff -r /tmp/tree "$mnt/tree"
[ "$(find "$mnt/tree" -type f | wc -l)" = 5000 ]
rm -rf "$mnt/tree"
umount "$mnt"
check_kernel_log
echo good
