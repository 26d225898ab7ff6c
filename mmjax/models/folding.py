"""BatchNorm folded into the linear layers before it."""

from dataclasses import replace
from typing import Any

import jax
from jaxtyping import Array

from mmjax.errors import require
from mmjax.model import Predictor
from mmjax.models.layers import Linear, Moments
from mmjax.models.mlp import MLP, Block, Params


def fold_batchnorm(predictor: Predictor) -> Predictor:
    """Return an MLP without BatchNorm that gives the same logits.

    In evaluation, BatchNorm with its running statistics is an affine map, which the linear layer
    before it can contain. The logits are equal up to rounding. The result is for evaluation and
    sampling, or to continue training without BatchNorm. Tied output weights are no longer tied.

    Raises `InputError` if the model is not an MLP with the norm "batch".
    """
    model, params, stats = predictor.model, predictor.params, predictor.stats
    require(
        isinstance(model, MLP) and model.norm == "batch",
        f"the model {model} has no BatchNorm to fold; give an mlp.MLP with norm='batch'",
    )
    assert isinstance(model, MLP)

    def scale_of(norm: Any, running: Moments) -> Array:
        return (norm.gamma * jax.lax.rsqrt(running.var + model.eps))[None, :]

    def folded(linear: Linear, norm: Any, running: Any) -> Linear:
        if not isinstance(running, Moments):
            return linear
        scale = scale_of(norm, running)
        bias = (linear.bias - running.mean) * scale[0] + norm.beta
        return Linear(linear.weight * scale, bias)

    output = params.output.linear
    if model.tied:
        output = Linear(output.weight @ params.embedding.T, output.bias)
    first = folded(params.input, params.input_norm, stats.input)
    position = params.position
    if model.position and model.norm_input:
        position = position * scale_of(params.input_norm, stats.input)
    plain = replace(model, norm="none", tied=False)
    hidden = tuple(
        Block(folded(block.linear, block.norm, running), ())
        for block, running in zip(params.hidden, stats.hidden, strict=True)
    )
    new = Params(
        params.embedding,
        first,
        hidden,
        Block(folded(output, params.output.norm, stats.output), ()),
        (),
        position,
    )
    _, no_stats = jax.eval_shape(plain.init, jax.random.key(0))
    return Predictor(plain, new, no_stats)
