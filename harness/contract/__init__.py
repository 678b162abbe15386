"""The contract between harness and plugins: types, tables, components, hooks, the catalog. Imports nothing heavy."""
