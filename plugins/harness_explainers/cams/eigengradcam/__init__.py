"""EigenGrad-CAM with a sign of its own."""
