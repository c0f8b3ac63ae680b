"""Entries of the plugin beside the panels: reader, writer, samples, preferences and commands."""
