"""The report of a version, with the items of TRIPOD+AI."""
