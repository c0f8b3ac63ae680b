"""Upscaling on a cluster: blocks of an image, computed by the workers of dask.distributed into one store."""
