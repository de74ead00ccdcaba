"""Compiled versions of definitions, by Numba: the extra ``fast``.

A file that compiles definitions has the name of their file, whose module is in ``COMPILES``; a
function in it has the name and the arguments of its definition. A function marked by
`handloom.fused.split_job.splits` can share its work between threads, and takes a pool before its
other arguments. Besides, every file has `rehearse(dtype)`, which compiles its functions for a dtype
or reads them from Numba's cache, and some have `available(dtype)`, which returns whether they can
run on this machine.

`network` is a pass through a whole network of dense layers. The other files build on `compiling`,
`gemm`, `exponential`, `atomics`, `split_job` and `adaptive_step`.

Only `handloom.backend` loads these files; they import no package above their own.
"""
