"""Images cut into square patches: `grid` places them (no torch), `tensors` cuts and stitches."""
