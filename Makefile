# The two commands: `make run` trains the network on the shipped list, `make test` runs the tests.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# A file of tests goes to one worker, since fixtures are made once a file.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile

.PHONY: run test check format slow docs fuzz clean

run: .venv/installed
	$(BIN)/python -m experiments.mlp $(ARGS)

test: .venv/installed
	$(PYTEST) $(ARGS)

check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(PYTEST)

slow: .venv/installed
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal -m slow $(ARGS)

# The site, in build/site; open build/site/index.html.
docs: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -c docs . build/site $(ARGS)

# Coverage-guided, for as long as is said: make fuzz ARGS=-max_total_time=600
fuzz: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	PYTHONPATH=. $(BIN)/python tests/fuzz_files.py $(ARGS)

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv/bin/python:
	$(PYTHON) -m venv .venv

# Installed again whenever the requirements change.
.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

MAKEMORE_URL := https://raw.githubusercontent.com/karpathy/makemore/master/names.txt
MAKEMORE_SHA256 := 0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d

data/makemore.txt:
	@$(PYTHON) data/fetch.py $(MAKEMORE_URL) $(MAKEMORE_SHA256) $@

clean:
	rm -rf .venv runs build dist *.egg-info
