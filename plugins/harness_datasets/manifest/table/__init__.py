"""Reading of the table: cells, rows, `where`, paths, and the patients of them."""
