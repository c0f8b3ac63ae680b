"""Panels that upscale a layer, one for each family of models."""
