"""The networks: one with two heads that share an encoder, and those that only screen or only segment."""
