"""Compiled versions of definitions, by Numba: the extra ``fast``.

A file that compiles definitions has the name of their file, whose module is in ``COMPILES``; a
function in it has the name and the arguments of its definition. A function marked by
`handloom.fused.split_job.splits` can run its work in two parts, on two threads, and takes a pool
before its other arguments. Each of these files also has `compile_for(dtype)`, which compiles its
functions for a dtype or reads them from Numba's cache; so have `network`, `atomics` and
`split_job`, which a backend asks for by name. Some have `available(dtype)`, which returns whether
they can run on this machine.

`network` is a whole network of dense layers. The other files build on `compiling`, `caching`,
`gemm`, `exponential`, `atomics`, `split_job` and `adaptive_step`.

Only `handloom.backend` loads these files; they import no package above their own.
"""
