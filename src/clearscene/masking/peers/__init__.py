"""Maskers of other projects behind our tiles, blending and files; each needs the extra `peers`.

Their networks and weights are their own, and so are the bands they need. What is ours is how a scene is
cut into tiles and put together again, so that results differ a little at the seams from those of their own code.
"""
