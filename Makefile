# The usual targets. Each needs `pip install -r requirements-dev.txt` in the active environment.
PYTHON ?= python

.PHONY: run test check format types screenshots benchmarks

run:
	$(PYTHON) app.py

test:
	$(PYTHON) -m pytest

check: types
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m pyright

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

screenshots:
	$(PYTHON) -m docs.screenshots

benchmarks:
	for each in harmony screening embedded ui_stream many_chats overhead first_start client proxy small_cpu; do \
		$(PYTHON) -m benchmarks.$$each || exit 1; \
	done
