"""Streaming of an image through a network, row by row, in bounded memory."""
