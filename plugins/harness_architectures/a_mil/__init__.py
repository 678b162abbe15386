"""A-MIL: attention over the patches of a histology image. Given a task and its parts, it gives a model."""
