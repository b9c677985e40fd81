"""The arithmetic that numpy lacks or does slowly: convolutions, and matrix products on one thread."""
