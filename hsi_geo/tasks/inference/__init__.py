"""Inference on scenes: statistics, scale, windows, strips, map files."""
