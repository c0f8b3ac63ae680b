"""The training loop: stages, their networks and losses, measurements, checkpoints and log."""
