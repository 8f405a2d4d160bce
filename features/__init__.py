"""What is true of a patient: vocabulary, units, record, derived features, design matrix."""
