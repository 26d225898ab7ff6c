"""Over how many devices a training run spreads its batches."""

from itertools import pairwise
from typing import Any

import jax

from mmjax import data
from mmjax.cli.devices import cores, cpu_devices
from mmjax.commands.train_options import Options
from mmjax.data import Dataset
from mmjax.models import mlp
from mmjax.train import TrainState

# Two cores are up to twice as fast as one from batches of 512 on, if the largest product of a batch
# has 5 to 12 million multiplications; measured for 50 to 300 units in 2 and 5 layers. Below, the
# messages between the cores cost more than they save. Above, XLA computes each product on both.
# The program for two takes two seconds longer to compile.
LEAST_STEPS = 5_000
LEAST_ROWS = 512
MULTIPLICATIONS = (5_000_000, 12_000_000)


def number_of_devices(options: Options, model: mlp.MLP) -> int:
    """Return how many devices to use, and make JAX treat the CPU as so many.

    Call it before JAX computes anything.
    """
    if options.coordinator:  # the devices of all processes
        return jax.device_count()
    wanted = options.devices or (2 if pays(options, model) else 1)
    if wanted > 1:
        cpu_devices(wanted)
    if not options.devices and jax.default_backend() != "cpu":
        return 1
    return wanted if options.devices else min(wanted, jax.device_count())


def pays(options: Options, model: mlp.MLP) -> bool:
    """Return whether two cores train one network faster than one core."""
    rows = options.recipe.batch_size
    largest = max(a * b for a, b in pairwise(model.layer_sizes))
    least, most = MULTIPLICATIONS
    return (
        cores() > 1
        and options.recipe.steps >= LEAST_STEPS
        and rows >= LEAST_ROWS
        and rows % 2 == 0
        and options.seeds == 1
        and options.recipe.data != "all-contexts"
        and least <= rows * largest <= most
    )


def spread(state: TrainState, examples: Dataset, devices: int) -> tuple[TrainState, Dataset]:
    """Return the state on every device, and the dataset with its batches spread over them."""
    if devices == 1:
        return state, examples
    batches: Any = data.sharded(examples, devices)
    return data.everywhere((state, batches), batches.mesh)
