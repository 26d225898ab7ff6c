"""A process that has all imported, and for each line of options on its input runs the MLP in a child: `id status` when it ends.

Children begin where a program begins: nothing has been computed before the fork. Every chunk ends with a checkpoint, so that
much of the time goes into writing.
"""

import json
import os
import sys
import threading

from experiments import mlp, training
from mmjax.cli.program import main
from mmjax.runs import outcome


def serve() -> None:
    """Fork for every line, say the child's id at once and its status when it is dead."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.argv = ["experiments.mlp", *json.loads(line)]
            training.CHUNKS_TO_VALIDATION = 1
            outcome.CHECKED_SAMPLES = 1_000
            main("experiments.mlp", mlp.of_recipe, mlp.program)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    assert threading.active_count() == 1
    serve()
