# Runs a command in which ptrace answers EPERM, as under a container's seccomp: python3 no_ptrace.py NUMBER COMMAND...
# NUMBER is that of ptrace on this machine.
import ctypes, os, struct, sys

steps = [(0x20, 0, 0, 0),                # loads the number of the call
         (0x15, 0, 1, int(sys.argv[1])), # is it ptrace?
         (0x06, 0, 0, 0x00050001),       # yes: SECCOMP_RET_ERRNO, EPERM
         (0x06, 0, 0, 0x7fff0000)]       # no: SECCOMP_RET_ALLOW
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))
program = struct.pack('HxxxxxxP', len(steps), ctypes.addressof(code))
libc = ctypes.CDLL(None)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program):
    sys.exit('this machine has no seccomp')
os.execvp(sys.argv[2], sys.argv[2:])
