"""Rows of controls with which a panel's user chooses layer, model, size, place, settings and output."""
