"""Accuracy of the measurements of noise, sharpness and kind (`benchmarks/noise.py`)."""
