"""Labelled geometries: files, classes, colours, and the pixels under them."""
