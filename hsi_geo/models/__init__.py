"""Networks and numerical methods: arrays and tensors in, arrays and tensors out."""
