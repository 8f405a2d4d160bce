"""The version of Tregcast: here and nowhere else, and so known where no package is installed, as in a Bento."""

VERSION = "0.1.0"
