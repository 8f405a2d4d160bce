"""The predictor and its pack: estimate, interval, contributions, applicability; save, load, self-test."""
