"""Train the multi-layer perceptron with BatchNorm: `python -m experiments.mlp --help`.

It is `mmjax train` with the lecture's recipe; see mmjax/commands/train.py.
"""

from mmjax.cli.program import main
from mmjax.commands.train import program
from mmjax.commands.train_options import of_recipe

if __name__ == "__main__":
    main("python -m experiments.mlp", of_recipe, program)
