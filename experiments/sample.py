"""Draw names from a trained model: `python -m experiments.sample RUN --help`.

It is `mmjax sample`; see mmjax/commands/sample.py.
"""

from mmjax.cli.program import main
from mmjax.commands.sample import Options, program

if __name__ == "__main__":
    main("python -m experiments.sample", Options, program)
