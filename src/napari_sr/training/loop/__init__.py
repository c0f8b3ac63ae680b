"""The training loop, its stages, measurements, checkpoints and log."""
