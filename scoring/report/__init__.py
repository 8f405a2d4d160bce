"""The report of a scored file: what became of its rows and, where the file itself tells, what came afterwards."""
