"""Files: paths, what a name leads to, and outputs that appear whole or not at all."""
