"""Upscaling of dask arrays to dask arrays, chunk by chunk."""
