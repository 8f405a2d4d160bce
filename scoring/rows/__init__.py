"""From the cells of a chunk to what is said of each of its rows."""
