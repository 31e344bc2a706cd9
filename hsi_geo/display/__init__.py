"""Pictures, figures and summaries of results, for notebooks and reports."""
