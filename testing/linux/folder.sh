#!/bin/bash
# A folder of 10,000 files: made, listed, looked at one by one, renamed as a whole, and removed.
. "$(dirname "$0")/mount.sh"
cd "$mnt"
rm -rf folder renamed && mkdir folder
python3 - <<'PYTHON'
for number in range(10000):
    with open("folder/a name of some length %05d" % number, "w") as file:
        if number % 100 == 0:
            file.write("x" * number)
PYTHON
echo 3 >/proc/sys/vm/drop_caches
[ "$(ls folder | wc -l)" = 10000 ] || fail "a listing is not whole"
[ "$(ls folder | sort -u | wc -l)" = 10000 ] || fail "a listing has names twice"
echo 3 >/proc/sys/vm/drop_caches
[ "$(find folder -type f -size 0 | wc -l)" = 9901 ] || fail "sizes in a listing"
[ "$(find folder -type f -printf '%s\n' | awk '{ total += $1 } END { print total }')" = 495000 ] || fail "sizes in a listing: their sum"
[ -e 'folder/A NAME of some length 09999' ] || fail "a name in another case is not found"
mv folder renamed || fail "the folder's rename"
[ "$(stat -c %s 'renamed/a name of some length 05000')" = 5000 ] || fail "a file of the renamed folder"
# Removed while it is listed: no name may be missed.
rm -r renamed && [ ! -e renamed ] || fail "the folder does not go"
cd / && umount "$mnt"
check_kernel_log
echo good
