"""Computation of planes on a device: exact streaming, overlapping tiles, memory and precision."""
