"""Laws of architectures: outputs, what must not matter, training, and samples of several instances."""
