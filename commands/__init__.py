"""The commands of ``tregcast``, one group a file, which `cli` puts together."""
