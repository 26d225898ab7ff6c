from types import SimpleNamespace

import numpy as np
import pytest

from mmjax import InputError
from mmjax.errors import require_ranges


@pytest.mark.parametrize("value", [1, 7])
def test_the_ends_of_a_range_belong_to_it(value):
    require_ranges(SimpleNamespace(n=value), n=(1, 7))


@pytest.mark.parametrize("value", [0, 8, 2.0, "3", None, float("nan")])
def test_whole_numbers(value):
    with pytest.raises(InputError, match=f"n must be a whole number from 1 to 7, not {value!r}"):
        require_ranges(SimpleNamespace(n=value), n=(1, 7))


@pytest.mark.parametrize(
    "value", [-0.1, 1.1, "0.3", None, float("nan"), float("inf"), -float("inf")]
)
def test_numbers(value):
    with pytest.raises(InputError, match=f"n must be a number from 0.0 to 1.0, not {value!r}"):
        require_ranges(SimpleNamespace(n=value), n=(0.0, 1.0))
    require_ranges(SimpleNamespace(n=1), n=(0.0, 1.0))


@pytest.mark.parametrize(
    ("value", "plain"), [(np.uint8(7), 7), (np.int64(7), 7), (np.float32(0.5), 0.5)]
)
def test_a_number_of_numpy_becomes_the_number_it_holds(value, plain):
    config = SimpleNamespace(n=value)
    require_ranges(config, n=(0, 9) if isinstance(plain, int) else (0.0, 9.0))
    assert (type(config.n), config.n) == (type(plain), plain)
    with pytest.raises(InputError, match="n must be a whole number"):
        require_ranges(SimpleNamespace(n=np.float32(0.5)), n=(0, 9))
