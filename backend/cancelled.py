"""Our own stop, on its way out of whatever was being done."""


class Cancelled(Exception):
    """Somebody stopped this. Never leaves the embedded backend, and never means a failure."""
