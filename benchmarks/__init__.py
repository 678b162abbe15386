"""What `make bench` measures; each ratio is taken against a baseline in the same run."""
