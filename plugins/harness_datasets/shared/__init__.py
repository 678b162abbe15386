"""Parts that several data sets use: canvas, shapes of lesions, handwriting, patients. No component."""
