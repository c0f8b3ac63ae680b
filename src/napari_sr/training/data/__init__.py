"""Training data: images, pairs, degradation, patches and the validation scenes."""
