"""The simulated reference cohort, and the best answer there can be for each of its patients."""
