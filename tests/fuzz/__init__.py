"""Generated calls and files: each gives a right result, or an error of one sentence."""
