"""Photographs of objects, prepared like the training images; a file for each step."""
