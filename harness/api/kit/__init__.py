"""Write, check and describe plugins. Imports nothing: import the modules."""
