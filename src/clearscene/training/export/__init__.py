"""From a training run to a model folder: graphs, manifest, calibration, card, and the proof that they agree."""
