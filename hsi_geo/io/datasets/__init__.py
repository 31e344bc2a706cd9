"""TorchGeo datasets and samplers, and benchmark scenes."""
