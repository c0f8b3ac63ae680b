"""The checkpoint of a training: its file, and what it has in common with the training that continues it."""
