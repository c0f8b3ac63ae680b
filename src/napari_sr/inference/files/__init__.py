"""Upscaling of image files: one of them, or all of a folder, with a journal of the finished ones."""
