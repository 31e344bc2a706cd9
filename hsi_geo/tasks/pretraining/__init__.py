"""Self-supervised pre-training: batches, and a run with Lightning."""
