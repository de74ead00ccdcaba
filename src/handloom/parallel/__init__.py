"""Parallelism: work is cut into pieces, and a pool runs them.

`handloom.parallel.partition` cuts work by shapes and the number of lanes only, never by the number
of threads. `handloom.parallel.pool` runs the pieces on one thread, `handloom.parallel.threads` on
several.
"""
