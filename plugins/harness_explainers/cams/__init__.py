"""Class-activation maps through pytorch-grad-cam, one file or folder a method."""
