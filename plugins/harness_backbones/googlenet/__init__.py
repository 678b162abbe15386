"""GoogLeNet of torchvision as a backbone."""
