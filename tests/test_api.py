"""The reference of the library is complete, current and readable."""

import ast
import inspect
import pkgutil
import sys
from importlib import import_module

import pytest
from conftest import ROOT

import mmjax

sys.path.append(str(ROOT / "docs"))
import api  # pyright: ignore[reportMissingImports]

MODULES = [
    "mmjax",
    *(found.name for found in pkgutil.walk_packages(mmjax.__path__, "mmjax.")),
]


def test_the_page_is_what_the_source_says():
    """If this fails, run `python docs/api.py` to write the page again."""
    assert api.PAGE.read_text(encoding="utf-8") == api.page()


@pytest.fixture(scope="module")
def page():
    return api.page()


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_of_a_module_is_on_the_page(page, name):
    """The names come from the imported module, the page from the source."""
    if name == "mmjax.search.shared":
        pytest.importorskip("optuna", reason="needs pip install -e '.[optuna]'")
    module = import_module(name)
    section = page.split(f"## `{name}`\n")[1].split("\n## ")[0]
    for public, value in vars(module).items():
        of_here = getattr(value, "__module__", None) == name
        if (
            not public.startswith("_")
            and of_here
            and (inspect.isclass(value) or inspect.isfunction(value))
        ):
            # An alias such as `mlp.init` is on the page under its full name, `MLP.init`.
            assert value.__qualname__ in section, f"{name}.{public}"


@pytest.mark.parametrize("name", MODULES)
def test_every_entry_has_one_line_of_text(name):
    path = ROOT / (name.replace(".", "/") + ".py")
    tree = ast.parse(
        (path if path.exists() else ROOT / name.replace(".", "/") / "__init__.py").read_text()
    )
    assert ast.get_docstring(tree)
    for signature, line in api.entries(tree):
        assert line, signature


def test_help_of_the_package_shows_the_summary_of_each_module():
    for found in pkgutil.iter_modules(mmjax.__path__):
        module = import_module(f"mmjax.{found.name}")
        summary = (module.__doc__ or "").splitlines()[0].rstrip(".")
        line = next(
            line
            for line in (mmjax.__doc__ or "").splitlines()
            if line.startswith(f"{found.name}  ")
        )
        assert line.split(maxsplit=1)[1] == summary
