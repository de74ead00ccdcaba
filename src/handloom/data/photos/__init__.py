"""Photographs of objects, made like the rows that a network was trained on; a file for each step."""
