"""Built-in poolings."""
