"""Live preview of the result for the part of the layer that is in view."""
