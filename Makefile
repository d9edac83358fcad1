# Leadline. Every target makes its own environment in $(VENV) first; a second call installs nothing.
VENV ?= .venv
PYTHON ?= python3
RUN := $(VENV)/bin
STAMP := $(VENV)/.leadline

.PHONY: help demo test test-quick test-gpu check bench bench-loop bench-models bench-settings bench-gpu bench-linear install clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(STAMP) ## create the environment with tested versions

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Leadline needs Python 3.11 or later, this is " + sys.version.split()[0] + "; call make PYTHON=python3.12, say")'
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --upgrade pip
	$(RUN)/python -m pip install --quiet --constraint constraints.txt --editable '.[sweep,dashboard,deploy,dev]'
	touch $@

demo: $(STAMP) ## run baselines, the oracle and one network with random weights, offline, and write a report
	$(RUN)/python -m src.eval --multirun experiment=demo
	$(RUN)/python -m src.report outputs --output outputs/report.html

test: $(STAMP) ## run all tests with branch coverage
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest -q -n 2 --dist worksteal --durations=25 --cov --cov-report=term # a thread a worker

test-gpu: $(STAMP) ## run what differs on a GPU: minutes, on a machine that has one
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest -q -m gpu -n 4 --dist worksteal --durations=10

test-quick: $(STAMP) ## run what is not marked slow, without coverage
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest -q -n 2 --dist worksteal -m "not slow"

check: $(STAMP) ## lint, format, types, import contracts
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports

bench: $(STAMP) ## measure speed; writes outputs/bench
	$(RUN)/python tests/benchmarks/scoring.py --output outputs/bench/scoring.json
	$(RUN)/python tests/benchmarks/records.py --output outputs/bench/records.json
	$(RUN)/python tests/benchmarks/loading.py --output outputs/bench/loading.json
	$(RUN)/python -m tests.benchmarks.startup --output outputs/bench/startup.json
	$(RUN)/python -m tests.benchmarks.loop --output outputs/bench/loop.json

bench-loop: $(STAMP) ## measure the whole loop of every family against its floor, an hour or two on a CPU
	$(RUN)/python -m tests.benchmarks.loop --every --batches 2 --repeats 1 --output outputs/bench/loop_all.json

bench-models: $(STAMP) ## measure models against the plain library's loop, random weights of the true size
	$(RUN)/python -m tests.benchmarks.models --output outputs/bench/models.json
	if $(RUN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then \
		$(RUN)/python -m tests.benchmarks.models --device cuda --output outputs/bench/models_cuda.json; fi

bench-settings: $(STAMP) ## measure every setting that trades digits for speed against the default
	$(RUN)/python -m tests.benchmarks.settings --output outputs/bench/settings.json

bench-gpu: $(STAMP) ## measure runs, scoring, arithmetic and full speed on a GPU, in minutes
	$(RUN)/python -m tests.benchmarks.gpu --output outputs/bench/gpu.json

bench-linear: $(STAMP) ## measure time and memory against the number of images
	$(RUN)/python -m tests.benchmarks.linear --output outputs/bench/linear.json

clean: ## remove the environment and caches, keep outputs
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
