"""A process that times training steps, alone or together with others.

Run it as `python -m experiments.bench.together COUNT PROCESS ADDRESS LIST SIZES`, where SIZES is
JSON: the network's options, and the batch sizes. Process 0 prints the microseconds of a step.
"""

import json
import sys
import time

import jax
import numpy as np

from mmjax import corpus, data, mlp, train, vocab
from mmjax.train import Recipe


def main(count: str, process: str, address: str, names: str, sizes: str) -> None:
    """Join the other processes, and print the time of a step for each batch size as JSON."""
    if int(count) > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(address, num_processes=int(count), process_id=int(process))
    wanted = json.loads(sizes)
    listed = corpus.read_names(names)
    letters = vocab.build(listed)
    model = mlp.MLP(vocab_size=letters.size, **wanted["network"])
    tokens = corpus.encode(letters, listed)
    times = {size: step_time(model, tokens, size) for size in wanted["batch_sizes"]}
    if int(process) == 0:
        print(json.dumps(times))


def step_time(model: mlp.MLP, tokens: np.ndarray, batch_size: int) -> list[float]:
    """Return the microseconds of a step, in several rounds."""
    recipe = Recipe(batch_size=batch_size)
    state = train.init(model, recipe, jax.random.key(0))
    examples = data.of(recipe.data, tokens, model)
    if jax.device_count() > 1:
        shared = data.sharded(examples, jax.device_count())
        state, examples = data.everywhere((state, shared), shared.mesh)
    # The processes must take the same steps, so the number does not depend on a measurement.
    steps = 2 * max(5, min(125, 4_000 // batch_size))
    taken = []
    for _ in range(6):
        started = time.perf_counter()
        state, losses = train.advance(model, recipe, state, examples, steps=steps)
        np.asarray(losses)
        taken.append(1e6 * (time.perf_counter() - started) / steps)
    return taken[1:]


if __name__ == "__main__":
    main(*sys.argv[1:])
