"""Real time: the closed loop between detectors and signals."""
