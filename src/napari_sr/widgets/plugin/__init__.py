"""The plugin's entries beside the panels: reader, writer, samples, preferences and commands."""
