"""What both sides of the harness see: types, tables, components, hooks, the catalog. Imports nothing heavy."""
