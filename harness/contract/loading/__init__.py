"""How plugins are found, checked and called: hook specifications, the catalog, the origin of an error."""
