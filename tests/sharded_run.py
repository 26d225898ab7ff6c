"""Train on several devices: `python tests/sharded_run.py OUT STEPS DEVICES [ADDRESS I N]`.

With an address, it is process I of N, each with so many devices.

Writes the losses and BatchNorm's last statistics to OUT.
"""

import sys

import jax
import numpy as np

out, steps, devices, *process = sys.argv[1:]
jax.config.update("jax_num_cpu_devices", int(devices))
if process:
    address, index, count = process
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(address, num_processes=int(count), process_id=int(index))

from mmjax import corpus, data, mlp, train, vocab  # noqa: E402

names = corpus.read_names(corpus.shipped_list())
letters = vocab.build(names)
model, recipe = mlp.MLP(vocab_size=letters.size), train.Recipe(steps=int(steps))
examples = data.of("windows", corpus.encode(letters, names), model)
state = train.init(model, recipe, jax.random.key(0))
if jax.device_count() > 1:
    examples = data.sharded(examples, jax.device_count())
    state, examples = data.everywhere((state, examples), examples.mesh)
state, losses = train.advance(model, recipe, state, examples, steps=recipe.steps)
if jax.process_index() == 0:
    np.savez(out, np.asarray(losses), *map(np.asarray, jax.tree.leaves(state.stats)))
