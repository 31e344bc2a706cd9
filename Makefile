# The two commands of the README are `make demo` and `make test`; each makes what it needs.

VENV := .venv
BIN := $(VENV)/bin
BUILD ?= build
PLUGIN := qgis_plugin/hsi_geo_qgis
PLUGIN_FILES := $(wildcard $(PLUGIN)/*.py) $(PLUGIN)/metadata.txt $(PLUGIN)/icon.svg
# The newest Python at hand that is new enough; .python-version makes pyenv and uv offer one.
PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo $$p && break; done)

.PHONY: demo test test-slow lint format docs plugin clean

demo: $(VENV)/.installed
	$(BIN)/hsi-geo demo

# A test on each core, and so one thread a test.
test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto

test-slow: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slow --numprocesses auto

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive $(PLUGIN)
	$(BIN)/detect-secrets-hook $(PLUGIN_FILES)

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The site, into $(BUILD)/site; a warning ends it (but not with --quiet, which keeps them from being counted).
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir $(CURDIR)/$(BUILD)/site
	@ls $(BUILD)/site/index.html

# What QGIS installs from a ZIP file: one folder with its licence, no tests.
plugin:
	rm -rf $(BUILD)/plugin $(BUILD)/hsi_geo_qgis.zip
	mkdir -p $(BUILD)/plugin/hsi_geo_qgis
	cp $(PLUGIN_FILES) LICENSE $(BUILD)/plugin/hsi_geo_qgis
	cd $(BUILD)/plugin && $(PYTHON) -m zipfile -c ../hsi_geo_qgis.zip hsi_geo_qgis
	@ls -l $(BUILD)/hsi_geo_qgis.zip

clean:
	rm -rf $(VENV) build demo *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "hsi-geo needs Python 3.12 or newer: install one, or give make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet 'pip>=25.1' # 25.1: dependency groups
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group docs
	touch $@
