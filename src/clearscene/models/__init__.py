"""Models: the manifest, ONNX sessions on every device, and the zoo of shipped weights."""
