"""End-to-end attention pooling over the patches that a scorer selects, trained in two phases."""
