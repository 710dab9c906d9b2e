"""The service: it starts the nights on a schedule, supervises them, and takes requests through the store."""
