"""Laws of explainers, and the model that they explain."""
