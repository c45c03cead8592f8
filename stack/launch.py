"""Run by `stack.child` in a new process: change user, bind life to the parent's, then become the real program.

Arguments: PARENT_PID SIGNAL UID GID PROGRAM ARGUMENT...; UID -1 keeps the user. Standard library only, no site.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, death_signal, uid, gid = (int(text) for text in sys.argv[1:5])
    program = sys.argv[5:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of user, which clears it; and the parent may have died before this line.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(f"the process {parent} that asked for {program[0]} is gone")
    os.execvp(program[0], program)  # noqa: S606 (that is this file's whole purpose)


if __name__ == "__main__":
    main()
