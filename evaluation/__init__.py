"""How good a model's replies are, measured through an endpoint: `python -m evaluation --help`."""
