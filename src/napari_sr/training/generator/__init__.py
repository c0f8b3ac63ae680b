"""The network that is trained: how it starts, and how it processes patches and images."""
