"""What runs a graph in numpy: in rate mode, and step by step."""
