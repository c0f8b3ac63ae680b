"""Metadata in the descriptions and tags of TIFF: OME-XML, ImageJ, and makers of electron microscopes."""
