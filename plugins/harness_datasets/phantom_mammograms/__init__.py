"""`phantom_mammograms`: synthetic mammograms with exact outlines."""
