"""Live preview of a result on the part of the layer that is in view."""
