"""Comparison of models, interpolation and classical restoration on degraded images (`benchmarks/held_out.py`)."""
