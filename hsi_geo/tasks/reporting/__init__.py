"""The pages about a map and about an assessment."""
