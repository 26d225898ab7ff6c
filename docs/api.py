"""Write docs/api.md, the reference of the library, from its source: `python docs/api.py`.

Every public name is there with its signature and the first line of its docstring.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/api.md"
HEAD = """# API reference

All public functions and classes, with their signatures. `help(mmjax.train.run)` shows the whole docstring. A name in
brackets, such as [batch, vocab], is the shape of an array. This page is written by `python docs/api.py`.
"""


def page() -> str:
    """Return the page as Markdown."""
    paths = sorted((ROOT / "mmjax").rglob("*.py"), key=_module)
    parts = [HEAD, "\n".join(f"* [`{_module(path)}`](#{_anchor(path)})" for path in paths)]
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts.append(f"## `{_module(path)}`\n\n{_first_line(tree)}")
        parts += [f"```py\n{signature}\n```\n\n{line}" for signature, line in entries(tree)]
    return "\n\n".join(parts) + "\n"


def entries(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield (signature, first line of the docstring) of every public function, class and method."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield _signature(node), _first_line(node)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for part in node.body:
                if isinstance(part, ast.FunctionDef) and not part.name.startswith("_"):
                    yield _signature(part, f"{node.name}."), _first_line(part)


def _signature(node: ast.FunctionDef | ast.ClassDef, prefix: str = "") -> str:
    if isinstance(node, ast.FunctionDef):
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        arguments = ast.unparse(node.args)
        one_line = f"{prefix}{node.name}({arguments}){returns}"
        if len(one_line) <= 100:
            return one_line
        each = ",\n    ".join(_arguments(node.args))
        return f"{prefix}{node.name}(\n    {each},\n){returns}"
    fields = [
        ast.unparse(part)
        for part in node.body
        if isinstance(part, ast.AnnAssign)
        and isinstance(part.target, ast.Name)
        and not part.target.id.startswith("_")
    ]
    bases = f"({', '.join(map(ast.unparse, node.bases))})" if node.bases else ""
    return "\n    ".join([f"class {node.name}{bases}{':' * bool(fields)}", *fields])


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    places = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(places) - len(arguments.defaults)) + arguments.defaults
    for place, default in zip(places, defaults, strict=True):
        yield ast.unparse(place) + (f" = {ast.unparse(default)}" if default else "")
    if arguments.vararg:
        yield f"*{ast.unparse(arguments.vararg)}"
    elif arguments.kwonlyargs:
        yield "*"
    for place, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield ast.unparse(place) + (f" = {ast.unparse(default)}" if default else "")
    if arguments.kwarg:
        yield f"**{ast.unparse(arguments.kwarg)}"


def _first_line(node: ast.Module | ast.FunctionDef | ast.ClassDef) -> str:
    return (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")


def _module(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def _anchor(path: Path) -> str:
    return _module(path).replace(".", "")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
