"""Many imperfect images of one place into one clean image, and where every pixel came from."""
