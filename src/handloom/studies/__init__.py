"""Studies: trainings side by side, and what they show."""
