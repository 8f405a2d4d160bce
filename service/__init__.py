"""How a pack is reached: the HTTP API and what stands around it."""
