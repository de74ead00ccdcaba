"""The walkthrough: one training step explained, array by array."""
