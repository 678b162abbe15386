"""Image files to arrays.

`formats` knows a file by its content, `pictures`, `tiff` and `dicom` read it, `foreign` names what is not read.
`masks` turns a file into a mask, `sizes` brings arrays to the size of the task, `facts` holds what a header states.
"""
