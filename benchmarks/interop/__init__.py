"""Models that leave: each layer in each format, beside the library."""
