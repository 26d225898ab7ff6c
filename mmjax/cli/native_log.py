"""A filter between a process and its standard error, for the log of JAX's C++ parts.

If one of several processes dies, JAX ends the others, from C++, with a stack trace. No Python code
of theirs can catch that. So they write their standard error to this program. It passes on
everything except that log, and prints one line in place of the trace. It is run as a script, since
it must outlive its process and start quickly.
"""

import re
import sys

LOG = re.compile(
    r"[IWEF][0-9]{4} [0-9:.]+ +[0-9]+ "
    r"|(The tasks have crashed|Additional GRPC error|RPC: /|:UNKNOWN:|\*\*\* Check| +@ )"
)
DEAD = "stopped sending heartbeats"  # the next lines are the numbers of the processes
END = "Terminating process because the JAX distributed service detected fatal errors"


def main(name: str) -> None:
    """Pass on standard input without the log; `name` is that of the process.

    If the process is ended by JAX, and has not said so by itself, say which other one has died.
    """
    sys.stdin.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue]
    dead: set[int] = set()
    ended = told = counting = False
    for text in sys.stdin:
        line = text.strip()
        if counting and line.isdecimal():
            dead.add(int(line))
            continue
        counting = DEAD in line
        ended |= END in line
        told |= line.startswith(f"{name}: ")
        if line and not LOG.match(text):
            print(text, end="", file=sys.stderr, flush=True)
        # The trace comes after the numbers. Where the process is the first of its container, this
        # program dies with it, so it does not wait for the end.
        if ended and not told and line.startswith("***"):
            told = True
            # Process 0 is the one that would know.
            which = ", ".join(map(str, sorted(dead))) or "0"
            reason = f"process {which} has ended, and so this one"
            print(f"{name}: {reason}; start all again with --resume", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
