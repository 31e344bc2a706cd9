"""A scene through a network: statistics, windows, strips."""
