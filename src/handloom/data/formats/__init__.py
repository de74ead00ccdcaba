"""Formats: readers of files as people have them."""
