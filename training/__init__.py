"""How a pack is made: cohorts, outcome, fit, calibrate, evaluate, report, registry."""
