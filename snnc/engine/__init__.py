"""The numpy engine: runs a graph in rate mode, and step by step."""
