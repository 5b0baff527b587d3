# `make demo` and `make test` each work alone in a fresh clone: they make the virtual
# environment, the database and the browser they need. `make` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.installed
DATASET ?= reue-demo
# A process of the tests may take 2 GB, with FiftyOne and a database of its own.
PROCESSES ?= logical
# The order is that of tests/collecting.py: what takes long begins first.
PYTEST := $(BIN)/python -m pytest -n $(PROCESSES) --maxprocesses 4 \
	--dist loadgroup --no-loadscope-reorder --durations 25 --durations-min 5
# pytest keeps what it made of the tests; without, every process makes it anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test unit bfloat16 lint docs tour versions app venv database browser programs

help:
	@echo "make demo [DATA=folder]    protect, restore and trace a dataset (DATA: your own images)"
	@echo "make test                  format, lint, types, then every test, and few with FiftyOne's oldest version"
	@echo "make unit                  the quick tests alone"
	@echo "make bfloat16              the networks' tests in bfloat16"
	@echo "make lint                  format, lint, types"
	@echo "make docs                  the documentation as a site: open site/index.html"
	@echo "make tour                  the README's recorded tour and thumbnails anew"
	@echo "make versions              try the plugin with FiftyOne's oldest and newest version"
	@echo "make app [DATASET=name]    open the demo's dataset in the FiftyOne App"
	@echo "make venv                  only make .venv"

# Its owner key is in the keyring, or where there is none in a file: it says so.
demo: venv database
	$(BIN)/python -m fiftyone_reue.demo --plain-key-file $(if $(DATA),--data "$(DATA)")

# All with the FiftyOne that is installed, then the least with the oldest that is
# supported; VERSIONS=none leaves that out.
test: lint database browser programs
	$(PYTEST)
	.ci/try-fiftyone --essentials $(VERSIONS)

unit: venv
	$(PYTEST) -m unit

# Networks are computed in float32 elsewhere.
bfloat16: venv
	REUE_BFLOAT16=on $(PYTEST) tests/perturb tests/networks tests/auditing

lint: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# A warning (a link to nothing, a page that isn't in the navigation) is an error.
docs: venv
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	@echo "Open site/index.html; it needs no server"

# Not one of the tests, which are named test_*.
tour: venv database browser
	$(PYTEST) -n 0 tests/e2e/tour.py

# VERSIONS=1.20.1 tries another.
versions: venv database
	.ci/try-fiftyone $(VERSIONS)

app: venv database
	$(BIN)/fiftyone app launch "$(DATASET)"

venv: $(STAMP)

$(STAMP): pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@[ -x $(BIN)/python ] || "$(PYTHON)" -c 'import ensurepip' 2>/dev/null || \
	.ci/apt-install python3-venv
	@[ -x $(BIN)/python ] || { echo "Making .venv with $(PYTHON)"; "$(PYTHON)" -m venv .venv; }
	@echo "Installing fiftyone-reue[app,dev,docs,generate,parquet,ray,storage] into .venv (7 GB, most of it PyTorch: some minutes)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[app,dev,docs,generate,parquet,ray,storage]'
	@# JPEG files are read by a small C file, compiled once.
	@[ -n "$${CC:-}" ] || command -v cc gcc clang >/dev/null || .ci/apt-install gcc libc6-dev
	$(BIN)/python -m fiftyone_reue.media.jpeg_coefficients.library
	@touch $@

# FiftyOne's mongod links against libcurl, which small Debian images don't have.
database: venv
	@if [ -z "$${FIFTYONE_DATABASE_URI:-}" ] && command -v apt-get >/dev/null && \
	[[ "$$(PATH="$$PATH:/sbin:/usr/sbin" ldconfig -p)" != *libcurl.so.4* ]]; then \
	.ci/apt-install libcurl4; fi
	$(BIN)/python -m fiftyone_reue.install.database --install

# tests/e2e drive the real App.
browser:
	@command -v chromium || command -v chromium-browser || command -v google-chrome || \
	.ci/apt-install chromium fonts-dejavu-core

# tests/media make JPEG files of more kinds with cjpeg than the Python packages do.
programs:
	@command -v cjpeg || .ci/apt-install libjpeg-turbo-progs
