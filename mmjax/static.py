"""Functions as constants of a compiled program: equal ones compile once.

`jax.jit` compiles again for every new function object, and every call of `optax.adam(1e-3)` makes
new ones. `Static` compares functions by their content, so an optimizer written inline compiles
once.
"""

import dataclasses
import functools
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType
from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

T = TypeVar("T")
PLAIN = (int, float, complex, str, bytes, bool, type(None), type, CodeType, BuiltinFunctionType)


class Static(Generic[T]):
    """A hashable value that equals others built the same way.

    Two functions are equal if their code, module, defaults and captured values are. Containers and
    hashable dataclasses are compared by their content, arrays by their numbers, and everything else
    by identity.
    """

    def __init__(self, value: T) -> None:
        self.value = value
        self.content = _content(value, ())

    def __hash__(self) -> int:
        """Return the hash of the content."""
        return hash(self.content)

    def __eq__(self, other: object) -> bool:
        """Return whether both were built the same way."""
        return isinstance(other, Static) and self.content == other.content


class _Identity:
    """An object compared by identity.

    The reference keeps the object alive, so that no other object gets its id.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.value is other.value


def _content(value: Any, outer: tuple[int, ...]) -> Any:
    """Return the content of `value` as nested tuples.

    `outer` holds the ids of the values that contain it.
    """
    if id(value) in outer:  # a function that calls itself
        return ("itself", outer.index(id(value)))
    if isinstance(value, PLAIN):
        # 1, 1.0 and True are equal but compile to different programs, as do 0.0 and -0.0.
        return (type(value), repr(value) if isinstance(value, float | complex) else value)
    within = (*outer, id(value))

    def parts(values: Any) -> tuple[Any, ...]:
        return tuple(_content(part, within) for part in values)

    if isinstance(value, FunctionType):
        captured = parts([*(value.__closure__ or ()), value.__defaults__, value.__kwdefaults__])
        return ("function", value.__code__, id(value.__globals__), captured)
    if isinstance(value, CellType):
        try:
            return parts([value.cell_contents])
        except ValueError:  # the variable has no value yet
            return ("empty",)
    if isinstance(value, MethodType):
        return ("method", *parts((value.__func__, value.__self__)))
    if isinstance(value, functools.partial):
        return ("partial", *parts((value.func, value.args, value.keywords)))
    if isinstance(value, tuple | list):
        return (type(value), *parts(value))
    if isinstance(value, dict):
        return (type(value), *parts(value.items()))
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        return ("array", array.dtype, array.shape, array.tobytes())
    if isinstance(value, jax.Array) and not isinstance(value, Tracer):
        if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            return ("key", str(jax.random.key_impl(value)), *parts([jax.random.key_data(value)]))
        return ("jax", value.weak_type, *parts([np.asarray(value)]))
    if dataclasses.is_dataclass(value) and type(value).__hash__ is not None:
        return (type(value), *parts(vars(value).items()))
    return _Identity(value)
