"""A map against reference labels: the sample, estimates, results."""
