"""The release check: both distributions, installed in empty environments, pass the tests."""
