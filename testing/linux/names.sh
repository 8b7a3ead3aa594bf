#!/bin/bash
# Names, links, attributes and times, as far as the mount options give them.
. "$(dirname "$0")/mount.sh"
cd "$mnt"
rm -rf names && mkdir names && cd names
forget() { echo 3 >/proc/sys/vm/drop_caches; }

names=('Grüße 日本語 😀' 'a:b' 'a*b?c' 'a<b>c|d"e' 'space at the end ' 'dot at the end.' 'COM1' 'nul' 'con.txt' "$(printf 'x%.0s' {1..255})" "$(printf '日%.0s' {1..85})")
for name in "${names[@]}"; do echo "$name" >"$name" || fail "no file of the name '$name'"; done
forget
[ "$(ls | wc -l)" = ${#names[@]} ] || fail "names are missing: $(ls)"
for name in "${names[@]}"; do [ "$(cat "$name")" = "$name" ] || fail "not what was written: '$name'"; done
rm -- *

echo content >file
ln -s file link && ln -s nowhere/at/all dangling && ln -s ../up/and/out upwards && mkdir folder && ln -s folder to-folder
forget
[ "$(readlink link) $(readlink dangling) $(readlink upwards) $(readlink to-folder)" = 'file nowhere/at/all ../up/and/out folder' ] || fail "a link's target: $(readlink link dangling upwards to-folder | tr "\n" " ")"
[ "$(find . -type l | wc -l)" = 4 ] || fail "links in a listing: $(ls -l)"
[ "$(cat link)" = content ] || fail "a link is not followed"
echo inside >to-folder/inside && [ "$(cat folder/inside)" = inside ] || fail "a link to a folder is not followed"
mv link moved && [ "$(readlink moved)" = file ] && rm moved dangling upwards to-folder && [ -e file ] || fail "a link does not go"

ln file hard && [ "$(stat -c %h file)" = 2 ] || fail "a hard link"
echo more >>hard && [ "$(cat file)" = "$(printf 'content\nmore')" ] || fail "a hard link is not the same file"
rm hard && forget && [ -e file ] && [ ! -e hard ] || fail "removing a hard link: $(ls)"
ln file other && rm file && forget && [ "$(tail -n 1 other)" = more ] && [ ! -e file ] && mv other file || fail "removing the first name: $(ls)"

setfattr -n user.x -v value file && forget && [ "$(getfattr --only-values -n user.x file)" = value ] || fail "an extended attribute"
setfattr -x user.x file && ! getfattr -n user.x file 2>/dev/null || fail "an extended attribute does not go"

touch -d '1999-12-31 23:59:59.1234567 UTC' file && forget && [ "$(date -u -d "$(stat -c %y file)" +%s.%N)" = 946684799.123456700 ] || fail "a time"
chmod 444 file && sleep 2 && [ "$(stat -c %A file)" = -r-xr-xr-x ] || fail "read-only: $(stat -c %A file)"
! (echo no >>file) 2>/dev/null || fail "a read-only file was written"
chmod 644 file && sleep 2 && echo yes >>file || fail "not read-only any more"

truncate -s 5G sparse && printf tail | dd of=sparse bs=1 seek=$((5 * 1024 ** 3 - 4)) conv=notrunc status=none || fail "5 GiB"
forget
[ "$(tail -c 4 sparse)" = tail ] || fail "beyond 4 GiB"
head -c 3000000 /dev/urandom >/tmp/source
dd if=/tmp/source of=direct bs=65536 oflag=direct status=none && forget && cmp direct /tmp/source || fail "O_DIRECT writes"
dd if=direct bs=131072 iflag=direct status=none | cmp - /tmp/source || fail "O_DIRECT reads"

python3 - <<'PYTHON' || fail "mmap"
import mmap, os
file = os.open("mapped", os.O_RDWR | os.O_CREAT)
os.ftruncate(file, 100000)
with mmap.mmap(file, 100000) as view:
    view[5:10] = b"hello"
    view[99990:99995] = b"world"
    view.flush()
os.close(file)
with open("/proc/sys/vm/drop_caches", "w") as control:
    control.write("3\n")
with open("mapped", "rb") as found:
    content = found.read()
assert len(content) == 100000 and content[5:10] == b"hello" and content[99990:99995] == b"world" and content.count(0) == 99990
PYTHON

echo x >open && exec 7>>open && mv open renamed && echo y >&7 && exec 7>&- && [ "$(cat renamed)" = "$(printf 'x\ny')" ] || fail "a file renamed while open"
cd "$mnt" && rm -r names && [ ! -e names ] || fail "clean-up"
cd / && umount "$mnt"
check_kernel_log
echo good
