"""Texts in panels: wrapped, within long words too, and in the color of warnings."""
