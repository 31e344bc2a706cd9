"""Masked pre-training: batches, and the Lightning run."""
