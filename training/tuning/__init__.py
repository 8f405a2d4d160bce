"""The search for settings of the trees."""
