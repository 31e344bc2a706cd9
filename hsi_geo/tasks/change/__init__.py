"""What changed between two class maps."""
