"""Outputs: all or none, none that replaces an input, one job at a time."""
