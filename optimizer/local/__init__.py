"""What happens within a cycle, second by second: which stage next, and when; from detectors alone."""
