"""Sources: where datasets come from."""
