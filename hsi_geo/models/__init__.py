"""Networks and their arithmetic: tensors in, tensors out."""
