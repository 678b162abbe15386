"""The plain image classifier: a backbone, a pooling and a linear head."""
