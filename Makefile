# The doors of the project. `make demo` and `make test` set up all they need in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check docs clean

demo: $(VENV)/.base
	$(BIN)/clearscene demo --out out/demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest

check: $(VENV)/.dev
	scripts/check

docs: $(VENV)/.dev
	$(BIN)/mkdocs build --strict

# The base install: what a user gets. No torch.
$(VENV)/.base: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints-cpu.txt -e .
	touch $@

$(VENV)/.dev: pyproject.toml constraints-cpu.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints-cpu.txt -e ".[dev,train,review]"
	touch $@ $(VENV)/.base

clean:
	rm -rf out site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
