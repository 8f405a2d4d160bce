"""Where rows come from: a file a kind of input, all read piece by piece in bounded memory."""
