"""How fast, beside the limit and the alternatives: a subject a module, `python -m benchmarks.speed.NAME`."""
