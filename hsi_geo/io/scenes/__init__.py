"""Scenes as lazy arrays: opening, windows, quality, halos, lists of tiles, xarray accessor and engine."""
