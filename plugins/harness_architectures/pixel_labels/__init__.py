"""A patch classifier whose heat maps are further input channels of another architecture."""
