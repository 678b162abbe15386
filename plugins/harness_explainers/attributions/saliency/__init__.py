"""The size of the score's gradient."""
