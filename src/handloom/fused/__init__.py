"""Compiled versions of definitions, by Numba: the extra ``fast``.

A file that compiles definitions has the name of the file that they are in, which it names whole in
``COMPILES``; a function in it has the name and the arguments of its definition. One that is marked
by `handloom.fused.split_job.splits` can share its work between threads, and takes a pool before its
other arguments. Besides, every file has `rehearse(dtype)`, which has its functions compiled for a
dtype or read from Numba's cache, and some have `available(dtype)`, which says whether they can run
on this machine.

`network` has a pass through a whole network of dense layers. `compiling`, `gemm`, `exponential`,
`atomics`, `split_job` and `scaled_descent` are what the others are made of.

`handloom.backend` alone loads these files; they import no room above their own.
"""
