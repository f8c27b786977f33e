"""The review page: a person accepts, rejects and redraws findings, and the score follows.

Everything is kept in the GeoPackage of the run (`store`): the findings, the history of all gestures,
the walk over the scene. The page (`page/`) talks to a server on this machine only (`app`, `serve`).
"""
