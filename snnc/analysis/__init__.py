"""Questions about a graph, and graphs derived from it to answer them."""
