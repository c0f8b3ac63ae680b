"""Passing of planes through a network on a device: exact streaming, tiles, memory and precision."""
