"""Class maps: written, read back, indexed, described as STAC items."""
