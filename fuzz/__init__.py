"""Hostile files: every reader, fed with valid files that were changed; see ``python -m fuzz``."""
