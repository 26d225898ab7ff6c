"""The pages of the instruments: complete, with pictures."""

import re

import pytest
from conftest import ROOT
from programs import command

from experiments.faultbench.bench import CASES
from experiments.gallery import EXHIBITS

PAGES = ROOT / "docs/instruments"
PICTURES = ROOT / "docs/pictures/instruments"


def examples(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_every_instrument_has_a_page_a_picture_and_a_fault():
    names = {exhibit.name for exhibit in EXHIBITS}
    assert {page.stem for page in PAGES.glob("*.md")} == names | {"README"}
    assert {picture.stem for picture in PICTURES.glob("*")} == names
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    for exhibit in EXHIBITS:
        assert exhibit.fault in CASES
        assert f"({exhibit.name}.md)" in index
        page = (PAGES / f"{exhibit.name}.md").read_text(encoding="utf-8")
        assert f"(../pictures/instruments/{exhibit.name}.svg)" in page
        assert all(f"**{word}**:" in page for word in ("Healthy", "Sick", "Shows it best"))
        assert len(examples(PAGES / f"{exhibit.name}.md")) == 1


@pytest.mark.slow
def test_the_gallery_draws_and_prints(tmp_path):
    process = command("experiments.gallery", "--only", "lists", "--out", tmp_path)
    output, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    row = next(line for line in output.splitlines() if line.startswith("lists"))
    _, healthy, sick, *_ = row.split()
    assert abs(float(healthy)) < 10 < float(sick)
    assert (tmp_path / "lists.svg").exists()
    for option, said in (
        ("--only", "--only nothing: give one of update-ratios, dead-units"),
        ("--fault", "--fault nothing: is no setting of experiments.faults"),
    ):
        process = command("experiments.gallery", option, "nothing")
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 2
        assert said in errors
