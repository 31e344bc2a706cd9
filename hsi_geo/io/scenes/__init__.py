"""Scenes: opening them, their quality, their neighbours, the lists they come in."""
