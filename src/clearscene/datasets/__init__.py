"""Data sets: chips from what people have drawn, and from published collections."""
