"""What a run leaves: a file a kind of output, each written beside its place and put there whole."""
