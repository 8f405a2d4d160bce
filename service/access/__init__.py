"""Who may call the service: API keys, bearer tokens of an issuer, scopes and rates."""
