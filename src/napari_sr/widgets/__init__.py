"""The plugin in napari: panels, commands, reader, writer, samples and demo. Only this package imports napari and Qt."""
