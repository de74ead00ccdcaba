"""Interop: models that leave for other libraries, and weights that come from them."""
