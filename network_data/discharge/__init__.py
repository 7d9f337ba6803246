"""Saturation flow and start-up loss of lanes, from stop-bar loops and the greens that were shown."""
