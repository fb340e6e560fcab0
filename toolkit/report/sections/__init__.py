"""The sections of a report: each works out frames, and the values that say what is in them."""
