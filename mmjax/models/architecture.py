"""Options of the MLP: its sizes, its layers and their constants."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from mmjax.errors import require, require_ranges
from mmjax.models.activations import ACTIVATIONS
from mmjax.models.norms import NORMS


@dataclass(frozen=True)
class Architecture:
    """Sizes and options of the MLP; the defaults are the lecture's."""

    HYPER: ClassVar = ("dropout", "gain", "output_gamma", "momentum")
    """Numbers that may differ between the members of a population (`train.members`)."""

    vocab_size: int = 27
    """Number of tokens, including the boundary."""
    block_size: int = 3
    """Context: number of previous characters that the network sees."""
    embedding_dim: int = 10
    """Size of each character's embedding."""
    hidden_size: int = 100
    """Units in each hidden layer."""
    hidden_layers: int = 5
    """Number of hidden layers."""
    widths: tuple[int, ...] = ()
    """Units of each hidden layer, one number per layer, instead of hidden_size and
    hidden_layers."""
    activation: str = "tanh"
    """Function after each hidden layer: tanh, relu, gelu or silu."""
    norm: str = "batch"
    """Normalisation after each linear layer: batch, layer, rms or none."""
    norm_input: bool = False
    """Normalise the first layer, too."""
    norm_output: bool = True
    """Normalise the logits."""
    residual: bool = False
    """Add the input of each hidden layer to its output where both have the same size."""
    dropout: float = 0.0
    """Part of each hidden layer's outputs that a training step sets to 0."""
    tied: bool = False
    """Make the output weights from the embedding: a matrix times the transposed embedding."""
    position: bool = False
    """Tell the first layer how many of the characters in the context are letters."""
    embedded: int = 0
    """Embed only this many of the context's last characters; 0 embeds all. With position, a long
    context can tell the length of the name to a network that sees a few characters."""
    gain: float = 5 / 3
    """Factor on the initial weights of every linear layer; 5/3 offsets the shrinking by tanh."""
    output_gamma: float = 0.1
    """Initial scale of the logits; a small one puts the first loss near ln(vocab_size)."""
    momentum: float = 0.1
    """Weight of the newest batch in BatchNorm's running statistics."""
    eps: float = 1e-5
    """Added to a variance before dividing by its root."""

    def __post_init__(self):
        """Raise `InputError` if a number is out of range or a name is unknown."""
        for field, known in (("activation", ACTIVATIONS), ("norm", NORMS)):
            name = getattr(self, field)
            require(name in known, f"{field} must be one of {', '.join(known)}, not {name!r}")
        require_ranges(
            self,
            vocab_size=(2, 65_536),
            block_size=(1, 1_000),
            embedding_dim=(1, 65_536),
            hidden_size=(1, 65_536),
            hidden_layers=(1, 100),
            dropout=(0.0, 0.99),
            embedded=(0, self.block_size),
            gain=(0.0, 1e6),
            output_gamma=(0.0, 1e6),
            momentum=(0.0, 1.0),
            eps=(1e-12, 1.0),
        )

        wrong = [n for n in self.widths if type(n) is not int or not 1 <= n <= 65_536]
        require(
            not wrong and len(self.widths) <= 100,
            f"widths must be at most 100 whole numbers from 1 to 65,536, not {self.widths!r}",
        )
        require(
            not self.residual or any(a == b for a, b in pairwise(self.layer_sizes[1:-1])),
            "residual needs two hidden layers of the same size in a row; give more hidden_layers",
        )

    @property
    def drops(self) -> bool:
        """Whether training needs a key for dropout; a traced rate counts as one above 0."""
        rate: Any = self.dropout
        return not isinstance(rate, int | float) or rate > 0

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Number of inputs, units of each hidden layer, and number of logits."""
        widths = self.widths or (self.hidden_size,) * self.hidden_layers
        inputs = (self.embedded or self.block_size) * self.embedding_dim
        return (inputs, *widths, self.vocab_size)
