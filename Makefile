# The usual targets. Each needs `pip install -r requirements-dev.txt` in the active environment.
PYTHON ?= python

.PHONY: run test check format types gallery bench evaluation

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

gallery:
	$(PYTHON) -m docs.gallery

# All that this machine can run, into benchmarks/RESULTS.md; an hour.
bench:
	$(PYTHON) -m benchmarks

# The embedded model, base against adapter, as the page asks it; the replies are cut, at 128 tokens in
# the examinations. Hours on two cores: it is kept as it comes, and the same command goes on.
EMBEDDED = --model all --temperature 0.3 --top-p 0.95
evaluation:
	$(PYTHON) -m evaluation medqa medmcqa pubmedqa mmlu $(EMBEDDED) --n 300 --effort low --max-tokens 128
	$(PYTHON) -m evaluation open refusal emergency $(EMBEDDED) --n 40 --effort medium --max-tokens 512
