"""Files and clusters in, answers out: the same pack and the same answers as the service, many rows at a time."""
