"""Entries of the plugin beside the panels: samples, preferences and commands."""
