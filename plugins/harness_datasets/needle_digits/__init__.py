"""`needle_digits`: handwritten digits on a textured canvas."""
