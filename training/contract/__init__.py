"""The data contract: what is wrong with a cohort file, what was understood, and an empty file to fill in."""
