"""Charts as SVG, complete without scripts, which add reading off, zoom and a logarithmic axis."""
