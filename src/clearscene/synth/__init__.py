"""Generated scenes with known defects: the ground, the defects, and the truth."""
