"""Accuracy assessment: reference sample, estimates of accuracy and area, results."""
