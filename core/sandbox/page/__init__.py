"""The chat page: plain files, and the few calls that it makes."""
