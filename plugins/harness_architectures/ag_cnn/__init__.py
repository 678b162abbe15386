"""AG-CNN: a global branch, a local branch on the hottest region, and a fusion, trained in phases."""
