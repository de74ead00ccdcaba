"""The walkthrough: the arrays and equations of one training step."""
