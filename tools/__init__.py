"""Programs for who develops Tregcast."""
