"""The panel that upscales files and folders, without opening them as layers."""
