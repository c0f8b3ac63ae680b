"""Analysis of images: their kind and their sharpness."""
