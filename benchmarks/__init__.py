"""Measurements. Each module has `measure() -> list[Row]`; run all with `python -m benchmarks`, one with its name behind."""
