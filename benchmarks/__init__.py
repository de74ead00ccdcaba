"""Handloom beside its peers: ``python -m benchmarks``."""
