"""Processes in which a system call fails, as on a file system that does not support it."""

PREAMBLE = """
import ctypes, struct, sys, warnings

def fail(call, error):
    '''Let a system call of this process fail with an error, by a seccomp filter (x86-64).'''
    numbers = {"flock": 73, "fsync": 74}
    code = [
        (0x20, 0, 0, 0),  # load the number of the call
        (0x15, 0, 1, numbers[call]),  # where it is the one that fails,
        (0x06, 0, 0, 0x00050000 | error),  # return the error;
        (0x06, 0, 0, 0x7FFF0000),  # else allow it
    ]
    filters = b"".join(struct.pack("HBBI", *line) for line in code)
    buffer = ctypes.create_string_buffer(filters)
    program = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((38, 1, 0, 0, 0), (22, 2, program, 0, 0)):
        if libc.prctl(*arguments):
            print("no filters", flush=True)
            sys.exit(77)
"""
"""Code that defines ``fail("flock", errno.ENOLCK)``; it exits with 77 where that is impossible."""
