"""Source: the common parts of all exports as Python files.

`text` writes values and names of users safely into source code, `functions` the source of tested
functions, `table` the encoder of raw rows, `description` the first lines of a file, `outputs` the
names and units of its predictions, `rows` the rows with which an export compares itself.
"""
