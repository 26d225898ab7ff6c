"""What a user installs: the wheel, and the README's example."""

import ast
import re
import subprocess
import sys
import zipfile
from types import ModuleType

import pytest
from conftest import ROOT

import mmjax


def test_the_example_in_the_readme_is_short():
    example, *_ = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(example.strip().splitlines()) <= 15


def test_everything_public_has_a_docstring():
    public = [getattr(mmjax, name) for name in mmjax.__all__]
    modules = [thing for thing in public if isinstance(thing, ModuleType)]
    undocumented = [
        f"{module.__name__}.{name}"
        for module in modules
        for name, thing in vars(module).items()
        if callable(thing)
        and not name.startswith("_")
        and getattr(thing, "__module__", None) == module.__name__
        and not (thing.__doc__ or "").strip()
    ]
    assert len(modules) >= 10
    assert undocumented == []


@pytest.mark.slow
def test_the_wheel_holds_the_library_alone_and_works_by_itself(tmp_path):
    def run(*command):
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    files = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in files} == {
        "mmjax",
        f"mmjax-{mmjax.__version__}.dist-info",
    }
    assert "mmjax/py.typed" in files
    sources = {
        str(path.relative_to(ROOT))
        for ending in ("py", "j2", "css", "js")
        for path in (ROOT / "mmjax").rglob(f"*.{ending}")
    }
    assert sources <= set(files)
    listed = zipfile.ZipFile(wheel).read("mmjax/lists/names.txt")
    assert listed == (ROOT / "data/names.txt").read_bytes()
    scripts = f"mmjax-{mmjax.__version__}.dist-info/entry_points.txt"
    assert b"mmjax = mmjax.commands.app:run" in zipfile.ZipFile(wheel).read(scripts)
    # The unpacked wheel comes first on the path, away from the repository.
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); from mmjax import corpus; print(corpus.shipped_list())"
    assert run(sys.executable, "-c", program).startswith(str(tmp_path / "site"))


# The parts of the library, from low to high level: each imports only those before it.
ROOMS = (
    *(
        "version",
        "errors",
        "static",
        "keys",
        "spread",
        "io",
        "model",
        "data",
        "counts",
        "models",
        "train",
    ),
    *(
        "diagnostics",
        "evaluate",
        "counting",
        "generate",
        "distillation",
        "metrics",
        "plots",
        "runs",
        "search",
        "report",
        "cli",
        "commands",
    ),
)


def test_imports_run_one_way():
    """A part imports no later part, and not the whole library."""
    for path in (ROOT / "mmjax").rglob("*.py"):
        place = path.relative_to(ROOT / "mmjax").with_suffix("").parts[0]
        if place == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("mmjax") for alias in node.names), path
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mmjax"):
                _, *rooms = (node.module or "").split(".")
                for room in rooms[:1] or [alias.name for alias in node.names]:
                    allowed = (*ROOMS[: ROOMS.index(place)], place)
                    assert room in allowed, f"{path}: {room}"
