"""How good a compiled network is: verify, accuracy, cost."""
