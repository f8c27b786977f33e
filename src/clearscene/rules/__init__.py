"""Pixel rules: one file a defect type."""
