"""Charts as SVG: scales, thinning of long lines, and small charts that need no style sheet."""
