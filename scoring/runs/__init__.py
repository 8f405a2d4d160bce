"""A run on one machine: chunks cut, scored, kept as parts, and put in place."""
