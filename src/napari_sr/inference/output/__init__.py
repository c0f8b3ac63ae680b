"""Destinations of a result: memory, an array, or an OME-Zarr store."""
