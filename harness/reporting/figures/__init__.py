"""The figures of the report, as SVG and PNG bytes.

Given: numbers and maps.
Gives: pictures.
"""
