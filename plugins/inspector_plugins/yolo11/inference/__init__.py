"""Inference: devices, runtimes, runners, and decoding of the network's output."""
