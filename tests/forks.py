"""Run the MLP in forked children, one for each line of input.

This process imports everything once. Each line of its input is a JSON list of options. For each
line it forks a child, prints the child's id at once, and prints its exit status when it ends.

Children begin where a program begins: nothing is computed before the fork. Every chunk ends with a
checkpoint, so that writing takes much of the time.
"""

import json
import os
import sys
import threading

from mmjax.cli.program import main
from mmjax.commands import train as mlp
from mmjax.commands import training
from mmjax.commands.train_options import of_recipe
from mmjax.runs import outcome


def serve() -> None:
    """Fork for every line; print the child's id, and its status when it ends."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.argv = ["experiments.mlp", *json.loads(line)]
            training.CHUNKS_TO_VALIDATION = 1
            outcome.CHECKED_SAMPLES = 1_000
            main("python -m experiments.mlp", of_recipe, mlp.program)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    assert threading.active_count() == 1
    serve()
