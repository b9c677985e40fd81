"""An example of a plugin for snnc."""
