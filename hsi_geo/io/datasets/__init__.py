"""TorchGeo datasets and samplers, and the labelled scenes to measure on."""
