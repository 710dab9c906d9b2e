# `make` sets everything up and opens the app; `make test` runs every check. Both keep to the folder .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Every process of the tests would compile what it imports, and pytest rewrite every file of tests.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: run test screenshots wheel clean

# The first start hatches a model, with a progress bar.
run: $(VENV)/installed
	@$(BIN)/mrclassic

# In the order of how soon each answers; the first that fails ends it, and is named.
test: $(VENV)/installed-for-tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -m 'not alone' --numprocesses 2
	$(BIN)/pytest -m alone

# The README's pictures, painted anew: hatches a model for it, and lets it practise for a night of eight minutes.
screenshots: $(VENV)/installed-for-tests
	$(BIN)/python -m tests.screenshots

wheel: $(VENV)/installed
	$(PIP) wheel --no-deps --wheel-dir dist .

# Leaves the homes alone: models, books and conversations are not ours to delete.
clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# The environment is made where its last part, pip, is not yet there. The empty files are newer than pyproject.toml while
# what it asks for is installed.
$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(BIN)/pip
	$(PIP) install --quiet --editable .
	@touch $@

# Compiling the libraries' 17,000 files takes a minute; what is imported of them is compiled then.
$(VENV)/installed-for-tests: pyproject.toml | $(BIN)/pip
	$(PIP) install --quiet --no-compile --editable '.[test]'
	@touch $(VENV)/installed $@
