# The two commands of the README are `make demo` and `make test`; each makes what it needs.
# `make demo TORCH=cpu` leaves the CUDA libraries out: see docs/install.md.

# Empty for the wheel of the package index, which needs the CUDA libraries on Linux; or cpu.
TORCH ?=
TORCH_INDEX ?= https://download.pytorch.org/whl/$(TORCH)
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
BUILD ?= build
# For `make plugin` without a network: WHEEL_OPTIONS=--no-build-isolation takes the installed setuptools.
WHEEL_OPTIONS ?=
# setuptools warns at each editable installation about folders of the same name in the working directory; that is no fault.
INSTALL := PYTHONWARNINGS='ignore:Editable installation' $(BIN)/python -m pip install --quiet
PLUGIN := qgis_plugin/hsi_geo_qgis
PLUGIN_FILES := $(wildcard $(PLUGIN)/*.py $(PLUGIN)/*.html) $(PLUGIN)/metadata.txt $(PLUGIN)/icon.svg
LIVE_FILES := $(wildcard $(PLUGIN)/live/*.py)
# The newest installed Python that is new enough; .python-version makes pyenv and uv offer one.
PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo $$p && break; done)

.PHONY: demo test test-slow test-gpu lowest lowest-list lint format docs plugin clean

demo: $(VENV)/.installed
	$(BIN)/hsi-geo demo

# Tests, and the examples in docstrings. Each core runs one test, so a test gets one thread. pyproject.toml has the
# least share of the code that must run.
test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --cov --cov-report term

test-slow: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slow --numprocesses auto

# Does a GPU give the classes of the CPU? Skipped without one.
test-gpu: $(VENV)/.installed-dev
	$(BIN)/pytest -m gpu

# The same with the lowest versions that pyproject.toml allows. They warn about each other, so warnings are not errors here.
lowest: $(LOWEST)/.installed
	OMP_NUM_THREADS=1 $(LOWEST)/bin/pytest --numprocesses auto -W default

# The list of these versions. Run it after a change of the dependencies in pyproject.toml.
lowest-list: $(VENV)/.installed-dev
	UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip compile --quiet pyproject.toml --all-extras --resolution lowest-direct \
		--python-version 3.12 --python-platform linux --annotation-style line --custom-compile-command 'make lowest-list' \
		--output-file requirements-lowest.txt

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/codespell . .github .pre-commit-config.yaml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*_*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.citation-file-format CITATION.cff
	$(BIN)/bandit --quiet --recursive $(PLUGIN)
	$(BIN)/detect-secrets-hook $(PLUGIN_FILES) $(LIVE_FILES)

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Builds the site into $(BUILD)/site. A warning is an error (but not with --quiet, which does not count warnings).
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir $(CURDIR)/$(BUILD)/site
	@ls $(BUILD)/site/index.html

# The ZIP file that QGIS installs: one folder with its licence and the wheel of hsi-geo, no tests. The wheel is built
# from a copy, since setuptools takes files of earlier builds from a checkout's build/.
plugin:
	rm -rf $(BUILD)/plugin $(BUILD)/plugin-source $(BUILD)/hsi_geo_qgis.zip
	mkdir -p $(BUILD)/plugin/hsi_geo_qgis/wheel $(BUILD)/plugin/hsi_geo_qgis/live $(BUILD)/plugin-source
	cp $(PLUGIN_FILES) LICENSE $(BUILD)/plugin/hsi_geo_qgis
	cp $(LIVE_FILES) $(BUILD)/plugin/hsi_geo_qgis/live
	cp -r hsi_geo cli pyproject.toml README.md LICENSE $(BUILD)/plugin-source
	$(PYTHON) -m pip wheel --quiet --no-deps $(WHEEL_OPTIONS) --wheel-dir $(BUILD)/plugin/hsi_geo_qgis/wheel $(BUILD)/plugin-source
	cd $(BUILD)/plugin && $(PYTHON) -m zipfile -c ../hsi_geo_qgis.zip hsi_geo_qgis
	rm -rf $(BUILD)/plugin-source
	@ls -l $(BUILD)/hsi_geo_qgis.zip

clean:
	rm -rf $(VENV) $(LOWEST) build demo *.egg-info .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "hsi-geo needs Python 3.12 or newer: install one, or give make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet 'pip>=25.1' # 25.1: dependency groups
	@echo "hsi-geo and its packages go into $(VENV). This takes some minutes."
	@cat docs/results/install_needs.md # printed by docs/measurements/install_sizes.py
	$(if $(TORCH),$(BIN)/python -m pip install --quiet --index-url $(TORCH_INDEX) torch torchvision)
	$(INSTALL) --editable '.[all]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) --editable '.[all]' --group dev
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group docs
	touch $@

$(LOWEST)/.installed: requirements-lowest.txt pyproject.toml
	python3.12 -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet 'pip>=25.1'
	PYTHONWARNINGS='ignore:Editable installation' $(LOWEST)/bin/python -m pip install --quiet --constraint requirements-lowest.txt --editable '.[all]' --group test
	touch $@
