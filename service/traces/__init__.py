"""Traces of requests, sent to an OpenTelemetry collector where the settings name one."""
