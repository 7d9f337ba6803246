"""Large networks: one simulation judges many changes at once, each by what happens around it."""
