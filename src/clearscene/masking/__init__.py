"""Masks of cloud, thin cloud and cloud shadow."""
