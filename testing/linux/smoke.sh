#!/bin/bash
# What people do with files, checked step by step.
. "$(dirname "$0")/mount.sh"
cd "$mnt"
rm -rf smoke && mkdir smoke && cd smoke

head -c 5000000 /dev/urandom >/tmp/source
cp /tmp/source a && cmp /tmp/source a || fail "a copy differs"
mv a b && [ ! -e a ] && cmp /tmp/source b || fail "a rename lost the file"
echo more >>b && [ "$(stat -c %s b)" = 5000005 ] || fail "an append did not grow the file"
truncate -s 1000 b && cmp -n 1000 /tmp/source b || fail "a truncated file differs"
truncate -s 1000000 b && [ "$(tail -c +1001 b | tr -d '\0' | wc -c)" = 0 ] || fail "the hole does not read as zeros"
dd if=/tmp/source of=b bs=4096 seek=7 count=3 conv=notrunc status=none || fail "a write in the middle"
cmp <(dd if=/tmp/source bs=4096 count=3 status=none) <(dd if=b bs=4096 skip=7 count=3 status=none) || fail "a write in the middle differs"

mkdir -p deep/er/still && touch deep/er/still/x && [ -e deep/er/still/X ] || fail "a name in another case is not found"
mkdir many && (cd many && seq 2000 | xargs touch) && [ "$(ls many | wc -l)" = 2000 ] || fail "a listing is not whole"
rm -r many || fail "a folder of 2000 does not go"
mv deep shallow && [ -e shallow/er/still/x ] || fail "a folder's rename"
touch -d '2001-02-03 04:05:06 UTC' b && [ "$(stat -c %Y b)" = 981173106 ] || fail "a time is not kept"
touch 'Grüße 日本語 😀.txt' && [ "$(ls | grep -c 日本語)" = 1 ] || fail "a Unicode name"
df "$mnt" >/dev/null || fail "df"
rmdir shallow 2>/dev/null && fail "a folder that is not empty was deleted"

cd "$mnt" && rm -rf smoke && [ ! -e smoke ] || fail "clean-up"
cd / && umount "$mnt"
check_kernel_log
echo good
