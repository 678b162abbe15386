"""The laws of components, a file a kind: each is a function with a name, a statement and a way to mend.

`registry.laws_of` lists the laws of a component, `check.check` tries them; `harness.testing.laws_for` is for pytest.
"""
