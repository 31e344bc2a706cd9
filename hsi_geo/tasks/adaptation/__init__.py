"""From a few shots to a model: features, ensemble, label propagation, fine-tuning."""
