"""Named experiments: each a short file with its settings and its sources."""
