"""The benchmark of ranks: messages, steps that ranks share, and a model of them."""
