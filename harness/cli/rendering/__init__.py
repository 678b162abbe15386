"""One renderer for every table of the terminal. No identifier or number is broken at 60 columns or more.

Given: columns, rows and a width.
Gives: the table whole, in parts, transposed or as blocks, and the names of columns that do not fit.
"""
