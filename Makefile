# `make demo` and `make test` do everything on a machine with Python >= 3.11 and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# One process for each core, each with one thread: small networks gain nothing from more.
WORKERS ?= 2

.PHONY: demo test slow check fmt bench papers docs clean

demo: $(INSTALLED)
	$(BIN)/classward demo --out demo --overwrite

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) -m "not slow"

slow: $(INSTALLED)
	$(BIN)/pytest -m slow

check: $(INSTALLED)
	$(BIN)/ruff format --check src tests examples benchmarks results
	$(BIN)/ruff check src tests examples benchmarks results
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/test_house.py

fmt: $(INSTALLED)
	$(BIN)/ruff format src tests examples benchmarks results
	$(BIN)/ruff check --fix src tests examples benchmarks results

bench: $(INSTALLED)
	$(BIN)/python benchmarks/audit_cost.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/records_scale.py
	$(BIN)/python benchmarks/attacks.py

papers: $(INSTALLED)
	$(BIN)/python results/papers_pages.py
	$(BIN)/python results/commands_page.py

docs: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints-cpu.txt --group docs
	$(BIN)/mkdocs build --strict

$(INSTALLED): pyproject.toml constraints-cpu.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints-cpu.txt --editable . --group dev
	touch $@

clean:
	rm -rf $(VENV) demo site
