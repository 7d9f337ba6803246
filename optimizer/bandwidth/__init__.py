"""Green waves along arterials: MAXBAND and MULTIBAND, and the bands of plans in whole seconds."""
