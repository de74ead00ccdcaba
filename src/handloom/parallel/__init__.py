"""How work is cut, and who runs the pieces.

Every rule that cuts is in `handloom.parallel.partition` and looks at shapes and at the number of
lanes only; never at who runs the pieces. `handloom.parallel.pool` says what runs them, and
`handloom.parallel.threads` does so with threads.
"""
