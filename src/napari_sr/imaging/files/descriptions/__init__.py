"""Metadata in files: descriptions and tags of TIFF (OME-XML, ImageJ, electron microscopes), attributes of OME-Zarr."""
