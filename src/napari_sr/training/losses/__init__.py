"""Losses of a training: functions of tensors, and the perceptual loss with its network."""
