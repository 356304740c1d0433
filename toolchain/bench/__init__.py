"""Speed and memory of a bundle's variants on this machine."""
