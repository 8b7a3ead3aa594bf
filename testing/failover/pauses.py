#!/usr/bin/python3
"""pauses.py FILE SECONDS: an application that may not lose anything, and that notices when it has to wait.

Appends small records and syncs each, as fast as it can. Prints, with times of this machine's clock,

    pauses: clock NOW               once a second, for whoever wants to compare clocks
    pauses: pause BEGIN END         of a record that took longer than 0.2 s
    pauses: error WHAT              that the application was given; it opens the file again and goes on
    pauses: wrote N records; M errors
                                    at the end, when all of them have been read back and compared
"""

import os
import struct
import sys
import time

RECORD = struct.Struct("<QQ48x")
PAUSE_SECONDS = 0.2


def record(number):
    return RECORD.pack(number, number * 0x9E3779B97F4A7C15 % 2**64)


def say(*words):
    print("pauses:", *words, flush=True)


def write(path, seconds):
    end = time.time() + seconds
    clock = 0
    number = 0
    errors = 0
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    while time.time() < end:
        begin = time.time()
        if begin >= clock + 1:
            clock = begin
            say("clock %.3f" % begin)
        try:
            if os.pwrite(fd, record(number), number * RECORD.size) != RECORD.size:
                raise OSError("a write took less than it was given")
            os.fsync(fd)
            number += 1
        except OSError as error:
            say("error", error)
            errors += 1
            try:
                os.close(fd)
            except OSError as closing:
                say("error of close", closing)
            fd = os.open(path, os.O_WRONLY)
        done = time.time()
        if done - begin > PAUSE_SECONDS:
            say("pause %.3f %.3f" % (begin, done))
    try:
        os.close(fd)
    except OSError as closing:
        errors += 1
        say("error of close", closing)
    return number, errors


def check(path, count):
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as control:
        control.write("3\n")
    with open(path, "rb") as file:
        for number in range(count):
            if file.read(RECORD.size) != record(number):
                sys.exit("pauses: FAILED: record %d of %d is not what was written" % (number, count))
        if file.read(1):
            sys.exit("pauses: FAILED: there is more than was written")


count, errors = write(sys.argv[1], float(sys.argv[2]))
check(sys.argv[1], count)
os.unlink(sys.argv[1])
say("wrote %d records; %d errors" % (count, errors))
sys.exit(1 if errors else 0)
