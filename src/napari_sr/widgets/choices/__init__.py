"""Rows of a panel: layer, model, size, part, output and settings."""
