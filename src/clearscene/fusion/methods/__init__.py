"""One file a method; each has a function `combine`, see `clearscene.fusion.methods.method.Combine`."""
