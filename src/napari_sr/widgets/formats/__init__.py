"""Image files and results on disk in napari: reader, writer, and opening with pixel size and position."""
