"""Defect inspection: from a scene to polygons, a score and a report."""
