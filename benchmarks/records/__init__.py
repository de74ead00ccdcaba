"""Records of the recipes under a protocol: choose on validation rows, then look at the test set."""
