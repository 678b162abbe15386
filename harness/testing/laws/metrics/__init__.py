"""Laws of metrics, and the cases that they are tested on."""
