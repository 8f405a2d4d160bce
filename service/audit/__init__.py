"""The audit trail: before an answer leaves, a durable record of it exists."""
