"""Training data: images, pairs, degradation, patches and validation scenes."""
