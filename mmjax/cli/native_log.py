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
    if ended and not told:
        # Process 0 is the one that would know.
        which = ", ".join(map(str, sorted(dead))) or "0"
        print(
            f"{name}: process {which} has ended, and so this one; start all again with --resume",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
