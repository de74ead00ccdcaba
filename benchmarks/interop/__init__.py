"""Exported files compared with the models that they were written from, layer by layer."""
