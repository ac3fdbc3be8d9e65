"""Training steps in symnet and in other frameworks, side by side: `python -m tests.benchmarks.frameworks`."""
