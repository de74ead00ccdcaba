"""Compiled versions of definitions, by Numba: the extra ``fast``.

A file here has the name of the file whose definitions it compiles, and a function the name and the
arguments of its definition. `handloom.backend` finds both by these names, and is the only one to
load this room; nothing here imports a room above it. Besides, `rehearse` in each file has its
functions compiled for a dtype, or read from Numba's cache, and `available` says, where there is
one, whether they can run on this machine.

`compiling`, `gemm`, `exponential`, `atomics` and `split_job` are what these files are made of.
"""
