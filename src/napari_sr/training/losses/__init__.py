"""Losses of a training."""
