"""The code of the files that ``to_python`` writes: it knows nothing of this package.

Each module is written into the file as it stands, without its imports of the others.
"""
