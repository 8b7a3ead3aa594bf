"""two-mounts.py FIRST SECOND: what is done through one mount is seen through the other."""

import errno
import fcntl
import multiprocessing
import os
import shutil
import sys
import time

FIRST, SECOND = (os.path.join(mount, "two-mounts") for mount in sys.argv[1:3])
# The mounts have actimeo=0: with its default of 1 s Linux shows attributes that old, even of a file it has just opened.
AGE = 0.1


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def eventually(condition, what):
    """Linux learns of a size that changed a little late, whatever the server says when a file is opened (seen with 6.12)."""
    end = time.monotonic() + 3
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(AGE)


def data_at_close():
    for number in range(20):
        content = os.urandom(1000 * number)
        write(FIRST + "/closed", content)
        assert read(SECOND + "/closed") == content, "after a close through the first mount"
        content = os.urandom(900 * number)
        write(SECOND + "/closed", content)
        assert read(FIRST + "/closed") == content, "after a close through the second mount"


def data_while_open():
    """Leases: what one has cached is written when the other opens, and what it has read is forgotten when the other writes."""
    with open(FIRST + "/open", "wb+", buffering=0) as first:
        first.write(b"a" * 100_000)
        eventually(lambda: read(SECOND + "/open") == b"a" * 100_000, "unwritten data")
        with open(SECOND + "/open", "rb+", buffering=0) as second:
            for number in range(10):
                letter = bytes([98 + number])
                second.seek(50_000)
                second.write(letter * 5000)
                os.fsync(second.fileno())
                eventually(lambda: os.pread(first.fileno(), 5000, 50_000) == letter * 5000, "written by the other while open here")
            os.ftruncate(second.fileno(), 10)
    # Not before it is closed: Linux takes no smaller size for a file that is open for writing.
    eventually(lambda: read(FIRST + "/open") == b"a" * 10, "truncated by the other")


def names():
    write(FIRST + "/name", b"name")
    os.rename(FIRST + "/name", FIRST + "/renamed")
    time.sleep(AGE)
    assert sorted(os.listdir(SECOND)) == sorted(os.listdir(FIRST)) and not os.path.exists(SECOND + "/name")
    assert read(SECOND + "/renamed") == b"name"
    with open(SECOND + "/renamed", "rb") as kept:
        try:
            os.unlink(FIRST + "/renamed")
        except OSError as error:
            assert error.errno in (errno.EBUSY, errno.EACCES, errno.ETXTBSY), error
        assert kept.read() == b"name", "deleted while open"
    time.sleep(AGE)
    if os.path.exists(FIRST + "/renamed"):
        os.unlink(FIRST + "/renamed")
    # Linux closes a file a second later than it is told (closetimeo); until then it is there.
    eventually(lambda: "renamed" not in os.listdir(SECOND), "a deleted file does not go")


def refused(call):
    try:
        call()
    except OSError as error:
        assert error.errno in (errno.EACCES, errno.EAGAIN), error
        return True
    return False


def locks():
    write(FIRST + "/locked", b"x" * 100)
    with open(FIRST + "/locked", "rb+", buffering=0) as first, open(SECOND + "/locked", "rb+", buffering=0) as second:
        now = fcntl.LOCK_EX | fcntl.LOCK_NB
        fcntl.lockf(first, now, 10, 0)
        assert refused(lambda: fcntl.lockf(second, now, 10, 5)), "an overlapping lock"
        assert refused(lambda: fcntl.lockf(second, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, 9)), "an overlapping shared lock"
        fcntl.lockf(second, now, 10, 20)
        assert refused(lambda: fcntl.lockf(first, now, 100, 0)), "a lock over both"
        fcntl.lockf(first, fcntl.LOCK_UN, 10, 0)
        fcntl.lockf(second, now, 10, 0)
        fcntl.lockf(second, fcntl.LOCK_UN)
        fcntl.flock(first, now)
        assert refused(lambda: fcntl.flock(second, now)), "flock"
        fcntl.flock(first, fcntl.LOCK_UN)
        fcntl.flock(second, now)
        assert refused(lambda: fcntl.flock(first, now)), "flock, the other way round"


def count(path, times):
    for _ in range(times):
        with open(path, "rb+", buffering=0) as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            number = int(os.pread(file.fileno(), 20, 0))
            os.pwrite(file.fileno(), b"%019d\n" % (number + 1), 0)
            # Linux does not write before it unlocks; later the range may be the other's (EACCES, from smbd as well).
            os.fsync(file.fileno())
            fcntl.lockf(file, fcntl.LOCK_UN)


def counter():
    """Blocking locks, and that data is as fresh as the lock."""
    write(FIRST + "/counter", b"%019d\n" % 0)
    workers = [multiprocessing.Process(target=count, args=(mount + "/counter", 50)) for mount in (FIRST, SECOND)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert int(read(FIRST + "/counter")) == 100, read(FIRST + "/counter")


def main():
    shutil.rmtree(FIRST, ignore_errors=True)
    os.mkdir(FIRST)
    for test in (data_at_close, data_while_open, names, locks, counter):
        begin = time.monotonic()
        test()
        print("%s: %.1f s" % (test.__name__, time.monotonic() - begin), flush=True)
    shutil.rmtree(FIRST)


main()
