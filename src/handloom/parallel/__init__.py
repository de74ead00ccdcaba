"""Parallelism: work is cut into pieces, and a pool runs them.

`handloom.parallel.partition` has all rules by which work is cut; none depends on the number of
threads. `handloom.parallel.pool` runs the pieces on one thread, `handloom.parallel.threads` on
several, and `handloom.parallel.blas` holds BLAS to one thread during a training.

`handloom.parallel.ranks` and `handloom.parallel.mpi` have the processes that share a training,
`handloom.parallel.exchange` the sum of their lanes, and `handloom.parallel.watch` names one that
dies.
"""
