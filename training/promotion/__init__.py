"""Which version serves: comparison, gates, decisions and their record."""
