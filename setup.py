"""Put the shipped list of names into the wheel; everything else is in pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithList(build_py):
    """Copies data/names.txt to mmjax/lists/names.txt in a wheel."""

    def run(self):  # noqa: D102
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "mmjax/lists"
            self.mkpath(str(target))
            self.copy_file("data/names.txt", str(target / "names.txt"))


setup(cmdclass={"build_py": BuildWithList})
