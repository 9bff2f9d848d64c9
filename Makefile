# `make demo` and `make test` set up what they need: a virtual environment and its packages.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test check format rabbitmq contract picture clean

help:  ## what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## the virtual environment with all packages, versions pinned

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which: make PYTHON=python3.11 ...")'
	@echo 'setting up $(VENV): Python packages, once (about 20 s) ...'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)

rabbitmq:  ## RabbitMQ's server from the system's packages, unless it is there
	@sh tools/ensure-rabbitmq

demo: $(READY)  ## monitor, mock1 and mock2 live, on an embedded broker
	@$(BIN)/python -m examples.demo

test: $(READY)  ## every test; on RabbitMQ, too, where it is installed
	$(BIN)/python -m pytest

check: $(READY)  ## formatter, linter and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy orquestador plugins

format: $(READY)  ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

contract: $(READY)  ## what the broker at URL=amqp://... does differently
	$(BIN)/python -m tests.contract --url '$(URL)'

picture: $(READY)  ## docs/table.svg anew, from a real run
	$(BIN)/python -m examples.picture docs/table.svg

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
