"""Measurements. Each module has `measure() -> list[Row]`; `python -m benchmarks [NAME...]` runs all, or those named."""
