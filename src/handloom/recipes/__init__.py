"""Recipes: named trainings, each in a file with its settings and sources."""
