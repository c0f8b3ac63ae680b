"""Patches under random conditions of blur and noise, for networks that take both as inputs."""
