"""Parts that several architectures use: geometry of crops, class maps, patches, scores and losses. No component."""
