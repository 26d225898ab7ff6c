"""Score names with a trained model: `python -m experiments.score RUN NAME ...`.

It is `mmjax score`; see mmjax/commands/score.py.
"""

from mmjax.cli.program import main
from mmjax.commands.score import Options, program

if __name__ == "__main__":
    main("python -m experiments.score", Options, program)
