"""Files: paths, limits, text encodings, temporary folders, and references to other files."""
