"""The panels, the samples and the demo: the only room that imports napari, magicgui or qtpy."""
