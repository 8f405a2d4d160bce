"""What the service tells a monitoring system, in the text format of Prometheus."""
