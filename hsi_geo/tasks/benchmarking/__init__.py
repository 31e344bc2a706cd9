"""Comparisons on labelled scenes: protocol, baselines, tables."""
