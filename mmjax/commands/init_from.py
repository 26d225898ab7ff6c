"""Training that starts from the weights of another run."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import jax

from mmjax import train
from mmjax.data.vocab import Vocab
from mmjax.errors import require
from mmjax.io.text import shown
from mmjax.model import Predictor
from mmjax.models import mixture
from mmjax.models.mlp import MLP
from mmjax.models.transfer import transferred
from mmjax.runs import weights
from mmjax.runs.reading import weights_at
from mmjax.train import TrainState, members


class Source(NamedTuple):
    """A trained network to start from."""

    network: Predictor
    tokens: list[int]
    """The network's token for each token of the new vocabulary, or -1 if it has none."""

    def start(self, state: TrainState, model: MLP) -> TrainState:
        """Return the first state of one network, or of several members, with the trained weights.

        `model` is that of the state. The state keeps what belongs to letters that are new.
        """

        def one(state: TrainState) -> TrainState:
            fresh = Predictor(model, state.params, state.stats)
            return train.starting_from(state, transferred(self.network, fresh, self.tokens))

        return members.placed(jax.vmap(one)(state)) if state.step.ndim else one(state)


def sources(path: Path, vocab: Vocab) -> list[Source]:
    """Return the networks of a run, to train them on names in another vocabulary.

    A run of the recipe auto has all networks of its mixture. Raises `InputError` if there is no
    network, or no letter in common.
    """
    networks, seen = networks_of(path)
    tokens = tokens_of(path, seen, vocab)
    return [Source(network, tokens) for network in networks]


def tokens_of(path: Path, seen: Vocab, vocab: Vocab) -> list[int]:
    """Return the token in `seen` for each token of `vocab`, or -1, and print the new letters.

    Raises `InputError` if there is no letter in common. `path` is that of the run, for messages.
    """
    known = {letter: token for token, letter in enumerate(seen.characters, 1)}
    new = [letter for letter in vocab.characters if letter not in known]
    count = len(vocab.characters)
    require(
        len(new) < count,
        f"--init-from {path}: knows no letter of this list; give a run on names in the same script",
    )
    if new:
        letters = " ".join(new[:20]) + " ..." * (len(new) > 20)
        note = f"{path}: has not seen {len(new)} of {count} letters, which start anew: {letters}"
        print(shown(note), file=sys.stderr)
    return [0, *(known.get(letter, -1) for letter in vocab.characters)]


def source(path: Path, model: MLP, vocab: Vocab) -> Source:
    """Return the only network of a run, as `sources` does, for training `model`.

    Raises `InputError` if `model` is another network. Its dropout and other numbers in `MLP.HYPER`
    are free.
    """
    network, seen = network_of(path)
    settings, given = settings_of(network), asdict(model)
    different = [
        f"--{name.replace('_', '-')}"
        for name, value in settings.items()
        if given[name] != value and name not in MLP.HYPER
    ]
    require(
        not different,
        f"--init-from {path}: is a network with other {', '.join(different)}; leave that out",
    )
    return Source(network, tokens_of(path, seen, vocab))


def networks_of(path: Path) -> tuple[list[Predictor], Vocab]:
    """Return the networks in a run folder, in weights or in a checkpoint, and their vocabulary.

    Raises `InputError` if there is none, or the file cannot be read.
    """
    predictor, vocab = weights.load(weights_at(path))
    models = mixture.components(predictor) or [predictor]
    networks = [each for each in models if isinstance(each.model, MLP)]
    require(
        bool(networks),
        f"--init-from {path}: holds no network, only counts; give a run of --recipe fast or lecture",
    )
    return networks, vocab


def network_of(path: Path) -> tuple[Predictor, Vocab]:
    """Return the only network of a run, and its vocabulary, as `networks_of` does.

    Raises `InputError` if there are several.
    """
    networks, vocab = networks_of(path)
    require(
        len(networks) == 1,
        f"--init-from {path}: holds {len(networks)} networks, and only --recipe auto starts from "
        "several; give that recipe, or a run of another one",
    )
    return networks[0], vocab


def settings_of(network: Predictor) -> dict[str, Any]:
    """Return the options of a network, without the size of its vocabulary."""
    model: Any = network.model
    return {name: value for name, value in asdict(model).items() if name != "vocab_size"}


def require_other_out(path: Path | None, out: Path) -> None:
    """Raise `InputError` if the run to start from would be overwritten."""
    require(
        path is None or out.absolute() not in (path.absolute(), *path.absolute().parents),
        f"--out {out} is the run to start from, and would be overwritten; give another --out",
    )
