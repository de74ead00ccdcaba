"""Studies: trainings side by side, and their results."""
