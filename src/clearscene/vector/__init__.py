"""From pixel sets to polygons, and the files that hold them."""
