"""Files of models and of pre-trained weights, and the checks of their contents."""
