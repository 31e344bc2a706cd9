"""Reports on maps and on assessments."""
