"""Train networks on chips: networks, losses, the loop, what is measured, what is recorded, and the export.

Everything here but the configuration needs torch, which the extra `train` brings.
"""
