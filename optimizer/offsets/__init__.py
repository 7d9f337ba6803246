"""Offsets of many signals at once, given tables of cost over their differences: search, trees, bounds, CP-SAT."""
