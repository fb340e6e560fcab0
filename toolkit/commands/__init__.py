"""The commands of `toolkit`, one file per subject: each parses, calls the service and prints."""
