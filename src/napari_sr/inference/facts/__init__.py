"""Facts of a whole image that are measured before its planes are computed."""
