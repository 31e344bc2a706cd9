"""Reports in HTML, their figures and pictures."""
