"""Training steps of the lecture's network in NumPy and PyTorch.

The benchmarks time them beside this library's step; the library does not use them. Every baseline
is made from the same parameters and examples. Its `step(index) -> loss` trains on the examples at
`index` with the learning rate 0.1 (that of `lecture` also takes another one). Its `parameters()`
are in the order of `mlp.Params`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

LEARNING_RATE = 0.1
MOMENTUM = 0.1
EPS = 1e-5


class Problem(NamedTuple):
    """The start of every baseline: parameters as a flat list of arrays, and all examples."""

    params: Sequence[np.ndarray]
    """The embedding; weight and bias of the first layer; then weight, bias, gamma and beta of each
    further layer."""
    contexts: np.ndarray
    targets: np.ndarray


class Baseline(NamedTuple):
    """A way of training, as three functions."""

    step: Callable[..., float]
    parameters: Callable[[], list[np.ndarray]]
    draw: Callable[[int], Any]
    """Returns the indices of a batch of that many examples, as this way of training draws them."""


def by_hand(problem: Problem) -> Baseline:
    """Return the baseline in NumPy, with the backward pass written out."""
    embedding, weight, bias, *rest = [array.copy() for array in problem.params]
    blocks = [rest[i : i + 4] for i in range(0, len(rest), 4)]
    running = [[np.zeros_like(block[3]), np.ones_like(block[3])] for block in blocks]
    rng = np.random.default_rng(0)
    one_hot = np.eye(len(embedding), dtype=embedding.dtype)

    def step(index: np.ndarray) -> float:
        contexts, targets = problem.contexts[index], problem.targets[index]
        n = len(index)
        x0 = embedding[contexts].reshape(n, -1)
        x = np.tanh(x0 @ weight + bias)
        saved = []
        for i, (w, b, gamma, beta) in enumerate(blocks):
            z = x @ w + b
            mean = z.mean(axis=0)
            centred = z - mean
            var = (centred * centred).sum(axis=0) / (n - 1)
            inverse_std = 1 / np.sqrt(var + np.float32(EPS))
            standard = centred * inverse_std
            for moment, new in zip(running[i], (mean, var), strict=True):
                moment += np.float32(MOMENTUM) * (new - moment)
            y = gamma * standard + beta
            saved.append((x, standard, inverse_std))
            x = np.tanh(y) if i < len(blocks) - 1 else y
        shifted = x - x.max(axis=1, keepdims=True)
        exps = np.exp(shifted)
        sums = exps.sum(axis=1, keepdims=True)
        loss = (np.log(sums[:, 0]) - shifted[np.arange(n), targets]).mean()
        grad = exps / sums
        grad[np.arange(n), targets] -= 1
        grad /= n
        outputs = [x for x, _, _ in saved[1:]]  # of each block's tanh
        for i in reversed(range(len(blocks))):
            w, b, gamma, beta = blocks[i]
            x, standard, inverse_std = saved[i]
            if i < len(blocks) - 1:
                grad = grad * (1 - outputs[i] ** 2)
            beta_grad = grad.sum(axis=0)
            gamma_grad = (grad * standard).sum(axis=0)
            grad = (gamma * inverse_std) * (
                grad - beta_grad / n - standard * (gamma_grad / (n - 1))
            )
            weight_grad, bias_grad = x.T @ grad, grad.sum(axis=0)
            grad = grad @ w.T
            for array, array_grad in zip(
                (w, b, gamma, beta), (weight_grad, bias_grad, gamma_grad, beta_grad), strict=True
            ):
                array -= np.float32(LEARNING_RATE) * array_grad
        grad = grad * (1 - saved[0][0] ** 2)
        weight_grad, bias_grad = x0.T @ grad, grad.sum(axis=0)
        # Sum the gradients by character in a matrix product; np.add.at is slower.
        embedding_grad = one_hot[contexts.ravel()].T @ (grad @ weight.T).reshape(contexts.size, -1)
        for array, array_grad in (
            (weight, weight_grad),
            (bias, bias_grad),
            (embedding, embedding_grad),
        ):
            array -= np.float32(LEARNING_RATE) * array_grad
        return float(loss)

    return Baseline(
        step,
        lambda: [embedding, weight, bias, *(array for block in blocks for array in block)],
        lambda size: rng.integers(0, len(problem.targets), size),
    )


def lecture(problem: Problem) -> Baseline:
    """Return the baseline in PyTorch, written as in the lecture.

    Layers are small classes of tensors, and updates are by hand.
    """
    import torch  # pyright: ignore[reportMissingImports]
    from torch.nn import functional  # pyright: ignore[reportMissingImports]

    class Linear:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias

        def __call__(self, x):
            return x @ self.weight + self.bias

        def parameters(self):
            return [self.weight, self.bias]

    class BatchNorm1d:
        def __init__(self, gamma, beta):
            self.gamma, self.beta = gamma, beta
            self.running_mean, self.running_var = torch.zeros_like(beta), torch.ones_like(beta)

        def __call__(self, x):
            mean, var = x.mean(0, keepdim=True), x.var(0, keepdim=True)
            out = self.gamma * (x - mean) / torch.sqrt(var + EPS) + self.beta
            with torch.no_grad():
                self.running_mean = (1 - MOMENTUM) * self.running_mean + MOMENTUM * mean
                self.running_var = (1 - MOMENTUM) * self.running_var + MOMENTUM * var
            return out

        def parameters(self):
            return [self.gamma, self.beta]

    class Tanh:
        def __call__(self, x):
            return torch.tanh(x)

        def parameters(self):
            return []

    embedding, weight, bias, *rest = [torch.tensor(array) for array in problem.params]
    layers: list[Any] = [Linear(weight, bias), Tanh()]
    for i in range(0, len(rest), 4):
        layers += [Linear(*rest[i : i + 2]), BatchNorm1d(*rest[i + 2 : i + 4]), Tanh()]
    layers.pop()
    parameters = [embedding, *(p for layer in layers for p in layer.parameters())]
    for p in parameters:
        p.requires_grad = True
    contexts, targets = (torch.tensor(a.astype(np.int64)) for a in problem[1:])

    def step(index: Any, learning_rate: float = LEARNING_RATE) -> float:
        x = embedding[contexts[index]]
        x = x.view(x.shape[0], -1)
        for layer in layers:
            x = layer(x)
        loss = functional.cross_entropy(x, targets[index])
        for p in parameters:
            p.grad = None
        loss.backward()
        for p in parameters:
            p.data += -learning_rate * p.grad
        return loss.item()

    return Baseline(
        step,
        lambda: [p.detach().numpy() for p in parameters],
        lambda size: torch.randint(0, len(targets), (size,)),
    )


def compiled(problem: Problem) -> Baseline:
    """Return the baseline of `torch.nn` modules and `torch.compile`.

    `torch.optim.SGD` updates all parameters at once.
    """
    import torch  # pyright: ignore[reportMissingImports]
    from torch import nn  # pyright: ignore[reportMissingImports]

    class BatchNorm(nn.Module):  # nn.BatchNorm1d normalises with the biased variance
        running_mean: Any
        running_var: Any

        def __init__(self, gamma, beta):
            super().__init__()
            self.gamma, self.beta = nn.Parameter(gamma), nn.Parameter(beta)
            self.register_buffer("running_mean", torch.zeros_like(beta))
            self.register_buffer("running_var", torch.ones_like(beta))

        def forward(self, x):
            mean, var = x.mean(0), x.var(0)
            with torch.no_grad():
                self.running_mean.lerp_(mean, MOMENTUM)
                self.running_var.lerp_(var, MOMENTUM)
            return self.gamma * (x - mean) * torch.rsqrt(var + EPS) + self.beta

    def linear(weight, bias):
        layer = nn.Linear(*weight.shape)
        layer.weight, layer.bias = nn.Parameter(weight.T.contiguous()), nn.Parameter(bias)
        return layer

    embedding, weight, bias, *rest = [torch.tensor(array) for array in problem.params]
    layers: list[Any] = [nn.Embedding.from_pretrained(embedding, freeze=False), nn.Flatten()]
    layers += [linear(weight, bias), nn.Tanh()]
    for i in range(0, len(rest), 4):
        layers += [linear(*rest[i : i + 2]), BatchNorm(*rest[i + 2 : i + 4]), nn.Tanh()]
    network: Any = nn.Sequential(*layers[:-1])
    contexts, targets = (torch.tensor(a.astype(np.int64)) for a in problem[1:])
    optimizer: Any = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE, foreach=True)

    loss_of: Any = torch.compile(lambda x, y: nn.functional.cross_entropy(network(x), y))

    def step(index: Any) -> float:
        loss = loss_of(contexts[index], targets[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def parameters() -> list[np.ndarray]:
        linears = {id(m.weight) for m in network.modules() if isinstance(m, nn.Linear)}
        return [(p.T if id(p) in linears else p).detach().numpy() for p in network.parameters()]

    return Baseline(step, parameters, lambda size: torch.randint(0, len(targets), (size,)))
