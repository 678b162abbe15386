"""`chest_phantom`: synthetic chest films with four findings and exact outlines."""
